import type { ReverseTunnelServer } from '@postern/tunnel';
import { refuse } from '#tcp/alert.ts';
import { alerts } from '#tcp/client-hello.ts';
import type { Arrival } from '#tcp/public-listener.ts';

export interface LineDoorOptions {
  readonly tunnels: Pick<ReverseTunnelServer, 'acceptLine'>;
  readonly onRefused: (refusal: { readonly clientAddress: string; readonly reason: string; readonly door: 'line' }) => void;
}

/** Takes what an agent opens because this proxy has asked it to. What comes behind the ClientHello is a dial's answer, and then a session. */
export function lineDoor({ tunnels, onRefused }: LineDoorOptions): (arrival: Arrival, token: string) => void {
  return ({ socket, clientAddress, proven }, token) => {
    if (tunnels.acceptLine(token, socket)) return proven();
    onRefused({ clientAddress, reason: 'nobody asked for this line, or it comes too late', door: 'line' });
    refuse(socket, alerts.unrecognizedName);
  };
}
