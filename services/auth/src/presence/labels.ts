import { PosternError } from '@postern/api';
import { isReservedLabel } from '@postern/resources';

const MAX_LABELS = 64;
const MAX_KEY_LENGTH = 128;
const MAX_VALUE_LENGTH = 256;

/** Why these labels cannot be a resource's, or undefined. */
export function labelProblem(labels: Readonly<Record<string, string>>): string | undefined {
  const reserved = Object.keys(labels).find(isReservedLabel);
  if (reserved !== undefined) return `label ${JSON.stringify(reserved.slice(0, 64))} is reserved for the cluster`;
  const entries = Object.entries(labels);
  if (entries.length > MAX_LABELS) return `${entries.length} labels: at most ${MAX_LABELS}`;
  const bad = entries.find(([key, value]) => key === '' || key.length > MAX_KEY_LENGTH || value.length > MAX_VALUE_LENGTH);
  if (bad !== undefined)
    return `label ${JSON.stringify(bad[0].slice(0, 64))}: keys have 1 to ${MAX_KEY_LENGTH} characters, values at most ${MAX_VALUE_LENGTH}`;
  return undefined;
}

export function requireOwnLabels(labels: Readonly<Record<string, string>>): void {
  const problem = labelProblem(labels);
  if (problem !== undefined) throw new PosternError('bad_request', problem);
}
