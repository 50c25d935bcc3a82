import type { Duplex } from 'node:stream';
import { PosternError } from '@postern/api';
import type { AttachedAgent, CarryCall, TakenLine } from '#reverse/attached-agent.ts';
import type { Dial } from '#reverse/dial-frame.ts';
import { dialOverLine, LineLost } from '#reverse/line-dial.ts';
import { speakDial } from '#reverse/speak-dial.ts';

export interface DialAgentOptions {
  readonly dial: Dial;
  readonly stallMs: number;
  readonly signal: AbortSignal;
  /** A stream that is somebody's connection from now on. */
  readonly onTaken: (carry: CarryCall) => void;
}

/** Of a line that waited: the agent answers at once or it is gone. */
const LINE_ANSWER_MS = 700;

/** A stream to an agent that has accepted the dial: over a line where one comes, and else through the tunnel. */
export async function dialAgent(agent: AttachedAgent, options: DialAgentOptions): Promise<Duplex> {
  const { dial, stallMs, signal, onTaken } = options;
  const line = await agent.takeLine(signal);
  if (line !== undefined && (await answers(line, agent, options))) return line.socket;
  const carry = await agent.takeCarry(signal);
  onTaken(carry);
  return speakDial(carry, { agentId: agent.agentId, dial, stallMs, signal });
}

/** False where the line leads nowhere. Nothing but a ClientHello was sent on it: the way through the tunnel begins anew. */
async function answers(
  { socket, key, distrust }: TakenLine,
  { agentId }: AttachedAgent,
  { dial, signal }: DialAgentOptions,
): Promise<boolean> {
  const patience = AbortSignal.any([signal, AbortSignal.timeout(LINE_ANSWER_MS)]);
  try {
    await dialOverLine({ line: socket, key }, dial, { agentId, signal: patience });
    return true;
  } catch (error) {
    socket.destroy();
    if (error instanceof LineLost && !signal.aborted) {
      distrust();
      return false;
    }
    throw error instanceof PosternError
      ? error
      : new PosternError('unavailable', `agent ${agentId} did not answer in time`, { cause: error });
  }
}
