import { Cluster } from '../test/harness/cluster.ts';
import { resetPeak, usageOf } from './process-usage.mjs';

/** A story's cluster that remembers which processes it started. */
export class MeasuredCluster extends Cluster {
  #pids = new Map();

  daemon(name, command, env) {
    const daemon = super.daemon(name, command, env);
    this.#pids.set(name, daemon.child.pid);
    return daemon;
  }

  /** CPU seconds so far and resident MiB of the processes of these names. */
  usage(names) {
    return Object.fromEntries(names.map((name) => [name, usageOf(this.#pids.get(name))]));
  }

  /** The peak of every process begins at what is resident now. */
  resetPeaks() {
    for (const pid of this.#pids.values()) resetPeak(pid);
  }
}
