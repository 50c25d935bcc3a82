/** Of the models that the tables in this package were last compared with. */
const COMPARED_WITH = '1.43.11';

/** Is this botocore later than the tables? */
export function isLater(version: string): boolean {
  return version.trim().localeCompare(COMPARED_WITH, 'en', { numeric: true }) > 0;
}
