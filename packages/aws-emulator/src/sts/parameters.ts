import { AwsError } from '#aws-error.ts';
import { type Received, header } from '#received.ts';

/** The parameters of a request in the Query protocol: a form in the body, or the query string of a GET. */
export function queryParameters(request: Received): ReadonlyMap<string, string> {
  const mark = request.target.indexOf('?');
  const query = mark < 0 ? '' : request.target.slice(mark + 1);
  if (request.method === 'GET') return parseForm(query);
  if (request.method !== 'POST' || query !== '')
    throw new AwsError('UnknownOperationException', 'The action must stand in the form of a POST or in the query of a GET.');
  const type = (header(request, 'content-type') ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/x-www-form-urlencoded')
    throw new AwsError('ValidationError', `Content-Type ${type ?? ''} is not application/x-www-form-urlencoded`);
  return parseForm(request.body.toString('utf8'));
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
