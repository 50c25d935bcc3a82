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

/**
 * Whether a text can be an IAM role at all. A role that allows any principal must not let a text through that a log, a
 * terminal or AWS reads otherwise. https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html: a path is
 * printable ASCII, a name 64 of these characters.
 */
export function isPrincipal(principal: string): boolean {
  return /^(?:arn:[a-z-]{1,32}:iam::\d{12}:role\/|role\/)?(?:[\u0021-\u007e]{1,510}\/)?[\w+=,.@-]{1,64}$/.test(principal);
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
