import { type RequestHead, mediaType, splitTarget } from '#exchange/request-head.ts';
import { AwsError } from '#protocols/aws-error.ts';

/** The action, wherever it stands, before anything is checked; empty where there is none. */
export function actionOf(head: RequestHead, body: Buffer): string {
  const { query } = splitTarget(head);
  const form = head.method === 'GET' ? query : `${query}&${body.subarray(0, 65_536).toString('utf8')}`;
  return /(?:^|&)Action=(?<action>\w+)/u.exec(form)?.groups?.['action'] ?? '';
}

/**
 * The parameters of a request in the Query protocol: the query string of a GET; of a POST its query string and the form in its body, which AWS
 * reads as one.
 */
export function queryParameters(head: RequestHead, body: Buffer): ReadonlyMap<string, string> {
  const { query } = splitTarget(head);
  if (head.method === 'GET' || (head.method === 'POST' && body.length === 0)) return parseForm(query);
  if (head.method !== 'POST')
    throw new AwsError('UnknownOperationException', 'The action must stand in the form of a POST or in the query of a GET.');
  if (mediaType(head) !== 'application/x-www-form-urlencoded')
    throw new AwsError('ValidationError', `Content-Type ${mediaType(head)} is not application/x-www-form-urlencoded`);
  return parseForm(query === '' ? body.toString('utf8') : `${query}&${body.toString('utf8')}`);
}

/** A parameter given twice is refused: which of both counts would differ from reader to reader. */
function parseForm(text: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(text)) {
    if (parameters.has(name)) throw new AwsError('ValidationError', `Parameter ${name} was given more than once`);
    parameters.set(name, value);
  }
  return parameters;
}

/** `Tags.member.1.Key` and so on, as one map for each member. */
export function members(parameters: ReadonlyMap<string, string>, list: string): readonly ReadonlyMap<string, string>[] {
  const found = new Map<number, Map<string, string>>();
  for (const [name, value] of parameters) {
    const match = new RegExp(`^${list}\\.member\\.(\\d+)(?:\\.(\\w+))?$`, 'u').exec(name);
    if (match === null) continue;
    const index = Number(match[1]);
    const member = found.get(index) ?? new Map<string, string>();
    member.set(match[2] ?? '', value);
    found.set(index, member);
  }
  return [...found.entries()].sort(([left], [right]) => left - right).map(([, member]) => member);
}
