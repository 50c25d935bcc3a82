/** An operation of a REST service, where its path ends. */
export type RestOperation = {
  readonly name: string;
  readonly method: string;
  /** whether the path may end with a slash too */
  readonly slash: boolean;
  /** what the query must have: `name` or `name=value` */
  readonly needs: readonly string[];
};

/** A place in the paths of a service. */
export type RestNode = {
  readonly word: string;
  /** by their lower case: AWS tells them apart by it, but a request that does nothing else is not sure */
  words?: Map<string, RestNode>;
  label?: RestNode;
  greedy?: RestNode;
  operations: readonly RestOperation[];
};

/** A path of the tree that a request meets. */
export type Met = {
  readonly operations: readonly RestOperation[];
  /** a character for each segment of the request, of its word, its label or its greedy label: the lower, the more is said */
  readonly shape: string;
  /** every word stands in the request as it stands in the model */
  readonly exact: boolean;
};

/** The path of a request, read in one way; `written` is before escapes were undone. */
export type Reading = { readonly segments: readonly string[]; readonly written: readonly string[] };

const none: readonly RestOperation[] = [];

/** The tree of lines of data/aws-rest-operations.txt: a blank in front for each level. */
export function parseTree(text: string): RestNode {
  const root: RestNode = { word: '', operations: none };
  const above: RestNode[] = [root];
  for (const line of text.split('\n')) {
    const depth = line.search(/\S/);
    if (depth < 0) continue;
    const [path = '', ...asked] = line.slice(depth).split(' ');
    let node = above[depth] ?? root;
    for (const word of path.split('/')) if (word !== '') node = below(node, word);
    if (asked.length > 0) node.operations = operationsOf(asked);
    above[depth + 1] = node;
  }
  return root;
}

function below(node: RestNode, word: string): RestNode {
  const fresh = (): RestNode => ({ word, operations: none });
  if (word === '*') return (node.label ??= fresh());
  if (word === '**') return (node.greedy ??= fresh());
  node.words ??= new Map();
  const known = node.words.get(word.toLowerCase()) ?? fresh();
  node.words.set(word.toLowerCase(), known);
  return known;
}

function operationsOf(asked: readonly string[]): readonly RestOperation[] {
  const found: RestOperation[] = [];
  for (let i = 0; i + 1 < asked.length; i += 2) {
    const [verb = '', query] = (asked[i] ?? '').split('?');
    const slash = verb.endsWith('/');
    found.push({ name: asked[i + 1] ?? '', method: slash ? verb.slice(0, -1) : verb, slash, needs: query?.split('&') ?? [] });
  }
  return found;
}

/** Every path of the tree that a reading meets. */
export function pathsMet(root: RestNode, reading: Reading): readonly Met[] {
  const met: Met[] = [];
  walk({ node: root, at: 0, shape: '', exact: true }, reading, met);
  return met;
}

type Step = { readonly node: RestNode; readonly at: number; readonly shape: string; readonly exact: boolean };

function walk({ node, at, shape, exact }: Step, reading: Reading, met: Met[]): void {
  const segment = reading.segments[at];
  if (segment === undefined) {
    if (node.operations.length > 0) met.push({ operations: node.operations, shape, exact });
    return;
  }
  const word = node.words?.get(segment.toLowerCase());
  if (word !== undefined) {
    walk({ node: word, at: at + 1, shape: `${shape}0`, exact: exact && word.word === reading.written[at] }, reading, met);
  }
  if (node.label !== undefined) walk({ node: node.label, at: at + 1, shape: `${shape}1`, exact }, reading, met);
  if (node.greedy === undefined) return;
  let taken = shape;
  for (let next = at + 1; next <= reading.segments.length; next += 1) {
    taken += '2';
    walk({ node: node.greedy, at: next, shape: taken, exact }, reading, met);
  }
}
