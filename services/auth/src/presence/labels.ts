import { PosternError } from '@postern/api';
import { isReservedLabel, labelsSchema } from '@postern/resources';

/** Why these labels cannot be a resource's, or undefined: the same rule as for a label in a file. */
export function labelProblem(labels: Readonly<Record<string, string>>): string | undefined {
  const reserved = Object.keys(labels).find(isReservedLabel);
  if (reserved !== undefined) return `label ${JSON.stringify(reserved.slice(0, 64))} is reserved for the cluster`;
  const [issue] = labelsSchema.safeParse(labels).error?.issues ?? [];
  if (issue === undefined) return undefined;
  const [key] = issue.path;
  return key === undefined ? `the set of labels ${issue.message}` : `label ${JSON.stringify(String(key).slice(0, 64))}: ${issue.message}`;
}

export function requireOwnLabels(labels: Readonly<Record<string, string>>): void {
  const problem = labelProblem(labels);
  if (problem !== undefined) throw new PosternError('bad_request', problem);
}
