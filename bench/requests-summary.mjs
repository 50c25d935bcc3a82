// From the rounds to figures that can be compared: the median of each figure, and the median of each round's ratio.
import { median, rounded } from './report.mjs';

export function shapeName({ bytes, connections, connectEach }) {
  return `${bytes} B, ${connections}${connectEach ? ' one each' : ''}`;
}

/** The median of the rounds, by each figure alone. */
export function summaryOf(measured) {
  const groups = Map.groupBy(measured, (one) => `${shapeName(one)} ${one.layout}`);
  return [...groups.values()].map((runs) => {
    const { layout, bytes, connections, connectEach, cpuMicros, beside } = runs[0];
    const middle = (read, digits) => rounded(median(runs.map(read)), digits);
    const each = (group) => Object.fromEntries(Object.keys(cpuMicros).map((name) => [name, middle((one) => one[group][name], 1)]));
    return {
      layout,
      bytes,
      connections,
      connectEach,
      perSecond: middle((one) => one.perSecond, 0),
      p50Ms: middle((one) => one.p50Ms, 3),
      p99Ms: middle((one) => one.p99Ms, 3),
      cpuMicros: each('cpuMicros'),
      sumMicros: middle((one) => one.sumMicros, 1),
      beside,
      peakMiB: each('peakMiB'),
      clientShare: middle((one) => one.clientShare, 2),
      resumed: middle((one) => one.resumed, 2),
    };
  });
}

/**
 * For each shape Postern over every other layout, as the median of the rounds' own ratios: a round's runs stand beside each other in time.
 * `cpu` and `perSecond` are quotients, `addedP50Ms` a difference.
 */
export function ratiosOf(measured) {
  const shapes = Map.groupBy(measured, shapeName);
  return [...shapes].flatMap(([shape, runs]) => {
    const others = [...new Set(runs.map(({ layout }) => layout))].filter((layout) => layout !== 'postern');
    return others.map((over) => {
      const pairs = [...Map.groupBy(runs, ({ round }) => round).values()].map((round) => ({
        postern: round.find(({ layout }) => layout === 'postern'),
        other: round.find(({ layout }) => layout === over),
      }));
      const middle = (read, digits) => rounded(median(pairs.map(read)), digits);
      const { bytes, connections, connectEach } = runs[0];
      return {
        shape,
        bytes,
        connections,
        connectEach,
        over,
        ...(over === 'direct' ? {} : { cpu: middle(({ postern, other }) => postern.sumMicros / other.sumMicros, 2) }),
        perSecond: middle(({ postern, other }) => postern.perSecond / other.perSecond, 2),
        addedP50Ms: middle(({ postern, other }) => postern.p50Ms - other.p50Ms, 3),
      };
    });
  });
}
