/** A proxy, user or resource name may hold "/" or ":": neither may become part of a path. Suffixes keep ".." from being one. */
export function fileName(text: string): string {
  const encoded = encodeURIComponent(text);
  return /^\.+$/.test(encoded) ? encoded.replaceAll('.', '%2E') : encoded;
}
