/** Where a browser goes when nothing else was asked for. */
export const APPS_PATH = '/web';
const MAX_LENGTH = 4096;

/**
 * A page of this proxy that somebody asked to be sent to after signing in, or the list of applications. Only printable ASCII that begins
 * with /web is taken as it stands: what could be read as another site, or as a second header, is nothing that is repaired.
 */
export function ownPath(asked: unknown): string {
  if (typeof asked !== 'string' || asked.length > MAX_LENGTH) return APPS_PATH;
  if (!/^\/web(?:$|[/?])[\u0021-\u007e]*$/.test(asked) || /\\|\/\/|%2f|%5c|\/\.\.?(?:[/?]|$)|%2e/i.test(pathOf(asked))) return APPS_PATH;
  return asked;
}

export function isLaunch(path: string): boolean {
  return path.startsWith('/web/launch/');
}

function pathOf(text: string): string {
  return text.split('?', 1)[0] ?? '';
}
