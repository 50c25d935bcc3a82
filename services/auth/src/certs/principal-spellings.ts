/** Every way to write one IAM role of an account, so that a deny rule written one way counts for all: name, role/Path/Name, ARN. */
export function principalSpellings(principal: string, account: { readonly id: string; readonly partition: string }): readonly string[] {
  const arn = /^arn:([a-z-]+):iam::(\d{12}):role\/(.+)$/.exec(principal);
  const [, arnPartition, arnAccount, arnPath] = arn ?? [];
  if (arnPath !== undefined) {
    const isOurs = arnAccount === account.id && arnPartition === account.partition;
    // A role of another account has no short name here: `Admin` means this account's Admin.
    return isOurs ? spellings(arnPath, account) : [principal];
  }
  return spellings(principal.startsWith('role/') ? principal.slice('role/'.length) : principal, account);
}

function spellings(path: string, account: { readonly id: string; readonly partition: string }): readonly string[] {
  return [path, `role/${path}`, ...(account.id === '' ? [] : [`arn:${account.partition}:iam::${account.id}:role/${path}`])];
}

/** https://docs.aws.amazon.com/general/latest/gr/rande.html: the partition is written in the region's name. */
export function partitionOfRegion(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn';
  if (region.startsWith('us-gov-')) return 'aws-us-gov';
  if (region.startsWith('eusc-')) return 'aws-eusc';
  return 'aws';
}
