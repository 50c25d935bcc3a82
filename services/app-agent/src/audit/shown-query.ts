/** A signature in a query is worth something, and so may be what stands beside it. */
const SECRET = /^x-amz-(?:signature|security-token|s3session-token|credential|(?:copy-source-)?server-side-encryption-customer-key)$/i;

/**
 * What of a query may stand in the log. Parameters of the query protocol are what other services have in a body, passwords included:
 * there, names alone and the action. The parameters of a pre-signed URL that prove something are left out.
 */
export function shownQuery(query: string): string {
  const parts = query.split('&').map((text) => {
    const cut = text.indexOf('=');
    return { text, written: cut < 0 ? text : text.slice(0, cut), name: decoded(cut < 0 ? text : text.slice(0, cut)) };
  });
  const isForm = parts.some(({ name }) => name === 'Action');
  return parts
    .filter(({ name }) => !SECRET.test(name))
    .map(({ text, written, name }) => (isForm && name !== 'Action' && name !== 'Version' ? written : text))
    .join('&');
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name.replaceAll('+', ' '));
  } catch {
    return name;
  }
}
