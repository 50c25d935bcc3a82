/**
 * How old a botocore is beside the one that a table was compared with. Only the same must agree in full: a later one knows what came after
 * the table, an older one lacks what the table has, and either may be what a machine has installed.
 */
export function ageOf(version: string, comparedWith: string): 'older' | 'same' | 'later' {
  const order = version.trim().localeCompare(comparedWith, 'en', { numeric: true });
  return order < 0 ? 'older' : order > 0 ? 'later' : 'same';
}
