/** A small registry that writes the Prometheus text format, version 0.0.4. */
export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  add(amount?: number, labels?: Labels): void;
}
export interface Gauge {
  set(value: number, labels?: Labels): void;
}
export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

interface Definition {
  /** With its unit at the end: postern_auth_login_seconds. */
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly string[];
}

export interface Metrics {
  counter(definition: Definition): Counter;
  gauge(definition: Definition): Gauge;
  /** Read when the page is written; for counts that something else keeps. */
  observed(definition: Definition & { readonly type: 'counter' | 'gauge'; readonly read: () => number }): void;
  histogram(definition: Definition & { readonly buckets: readonly number[] }): Histogram;
  page(): string;
}

/** Label values come from requests: beyond this many series of one metric the rest is counted together. */
export const MAX_SERIES = 500;
const OVERFLOW = 'other';

export const latencyBucketsSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;

export function createMetrics(): Metrics {
  const pages = new Map<string, () => string[]>();
  const register = (definition: Definition, type: string, lines: () => string[]) => {
    const { name, help, labelNames = [] } = definition;
    if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) || !labelNames.every((label) => /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(label)))
      throw new TypeError(`"${name}" or its labels cannot be named so`);
    if (pages.has(name)) throw new TypeError(`metric ${name} is registered twice`);
    const head = [`# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`, `# TYPE ${name} ${type}`];
    pages.set(name, () => [...head, ...lines()]);
  };
  return {
    counter(definition) {
      const series = new Series(definition.labelNames, () => ({ value: 0 }));
      register(definition, 'counter', () => series.lines((labels, { value }) => [`${definition.name}${labels} ${value}`]));
      return {
        add(amount = 1, labels = {}) {
          if (amount >= 0) series.at(labels).value += amount;
        },
      };
    },
    gauge(definition) {
      const series = new Series(definition.labelNames, () => ({ value: 0 }));
      register(definition, 'gauge', () => series.lines((labels, { value }) => [`${definition.name}${labels} ${value}`]));
      return {
        set(value, labels = {}) {
          series.at(labels).value = value;
        },
      };
    },
    observed(definition) {
      register(definition, definition.type, () => [`${definition.name} ${numberText(definition.read())}`]);
    },
    histogram(definition) {
      const { name, buckets } = definition;
      const series = new Series(definition.labelNames, () => ({ counts: buckets.map(() => 0), count: 0, sum: 0 }));
      register(definition, 'histogram', () =>
        series.lines((labels, { counts, count, sum }) => [
          ...buckets.map((bound, i) => `${name}_bucket${withLabel(labels, 'le', String(bound))} ${counts[i] ?? 0}`),
          `${name}_bucket${withLabel(labels, 'le', '+Inf')} ${count}`,
          `${name}_sum${labels} ${sum}`,
          `${name}_count${labels} ${count}`,
        ]),
      );
      return {
        observe(value, labels = {}) {
          const entry = series.at(labels);
          entry.count += 1;
          entry.sum += value;
          for (const [i, bound] of buckets.entries()) if (value <= bound) entry.counts[i] = (entry.counts[i] ?? 0) + 1;
        },
      };
    },
    page: () => `${[...pages.values()].flatMap((lines) => lines()).join('\n')}\n`,
  };
}

class Series<Entry> {
  readonly #labelNames: readonly string[];
  readonly #make: () => Entry;
  readonly #entries = new Map<string, Entry>();

  constructor(labelNames: readonly string[] = [], make: () => Entry) {
    this.#labelNames = labelNames;
    this.#make = make;
    if (labelNames.length === 0) this.#entries.set('', make());
  }

  at(labels: Labels): Entry {
    const key = this.#key((name) => labels[name] ?? '');
    const known = this.#entries.get(key);
    if (known) return known;
    const bounded = this.#entries.size < MAX_SERIES ? key : this.#key(() => OVERFLOW);
    const entry = this.#entries.get(bounded) ?? this.#make();
    this.#entries.set(bounded, entry);
    return entry;
  }

  lines(write: (labels: string, entry: Entry) => string[]): string[] {
    return [...this.#entries].flatMap(([labels, entry]) => write(labels, entry));
  }

  #key(valueOf: (name: string) => string): string {
    return this.#labelNames.length === 0 ? '' : `{${this.#labelNames.map((name) => `${name}="${escaped(valueOf(name))}"`).join(',')}}`;
  }
}

function withLabel(labels: string, name: string, value: string): string {
  const own = `${name}="${value}"`;
  return labels === '' ? `{${own}}` : `${labels.slice(0, -1)},${own}}`;
}

/** As the format writes what JavaScript calls Infinity. */
function numberText(value: number): string {
  return Number.isFinite(value) || Number.isNaN(value) ? String(value) : value > 0 ? '+Inf' : '-Inf';
}

const MAX_LABEL_LENGTH = 128;
function escaped(value: string): string {
  return value.slice(0, MAX_LABEL_LENGTH).replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
