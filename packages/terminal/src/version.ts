import { type Format, print } from '#output.ts';

/** The second word is what scripts read: vX.Y.Z. */
export function versionText(version: string): string {
  return `Postern v${version} node ${process.version}`;
}

export async function printVersion(version: string, format: Format): Promise<void> {
  await print(format, { version, runtime: `node ${process.version}` }, () => versionText(version));
}
