import { z } from 'zod';
import { flag } from '#schema/fields.ts';

/**
 * Sections of Teleport that nothing here serves. Guides write them to switch them off, which is fine; one that is switched
 * on is refused, because the reader of the file would believe that it runs.
 */
const sections = {
  ssh_service: 'access over SSH',
  kubernetes_service: 'access to Kubernetes',
  windows_desktop_service: 'access to Windows desktops',
  discovery_service: 'discovery of resources',
  okta_service: 'synchronisation with Okta',
  jamf_service: 'synchronisation with Jamf',
  access_graph: 'the access graph',
  tracing_service: 'export of traces',
  metrics_service: 'a listener of its own for metrics (write teleport.diag_addr)',
  debug_service: 'the debug service',
  relay_service: 'the relay service',
  plugins: 'plugins',
} as const;

function switchedOff(name: string, what: string) {
  return z
    .looseObject({ enabled: flag.optional() })
    .nullish()
    .superRefine((section, context) => {
      if (!section || Object.keys(section).length === 0 || section.enabled === false) return;
      const message =
        section.enabled === true ? `${what} is not supported: write enabled: "no", or leave out ${name}` : 'is missing; write "no"';
      context.addIssue({ code: 'custom', path: ['enabled'], message });
    });
}

type Sections = { readonly [Name in keyof typeof sections]: ReturnType<typeof switchedOff> };

export const otherSections = Object.fromEntries(
  Object.entries(sections).map(([name, what]) => [name, switchedOff(name, what)]),
) as Sections;
