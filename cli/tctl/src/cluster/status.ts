import { callUnary, type ClusterStatus, StatusService } from '@postern/api';
import { type AdminOptions, asAdministrator } from '#connection/administrator.ts';
import { type Format, print, printable, table } from '@postern/terminal/output';

/** The words "Cluster", "Version" and "CA pin" are what scripts look for. */
export async function status(options: AdminOptions, format: Format): Promise<void> {
  const found = await asAdministrator(options, ({ client }) => callUnary(client, StatusService.getStatus, {}));
  const { cluster, version, caPins, authorities, alarms } = found;
  await print(format, { cluster, version, ca_pins: caPins, authorities, alarms }, () => statusText(found));
}

function statusText({ cluster, version, caPins, authorities, alarms }: ClusterStatus): string {
  const title = caPins.length === 1 ? 'CA pin' : 'CA pins';
  const lines = [
    `Cluster:  ${cluster}`,
    `Version:  ${version}`,
    ...alarms.map((alarm) => `Alarm:    ${printable(alarm)}`),
    ...caPins.map((pin, at) => `${at === 0 ? `${title}:`.padEnd(9) : ' '.repeat(9)} ${pin}`),
  ];
  const rows = authorities.map((authority) => [
    authority.type,
    authority.rotation,
    'X.509',
    authority.status,
    authority.algorithm,
    'software',
  ]);
  return `${lines.join('\n')}\n\n${table(['authority', 'rotation', 'protocol', 'status', 'algorithm', 'storage'], rows)}`;
}
