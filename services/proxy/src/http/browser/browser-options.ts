import type { OwnApp } from '#browser/choose-role.ts';
import type { LaunchDeps } from '#browser/launch-console.ts';
import type { WebSession, WebSessions } from '#browser/web-sessions.ts';
import type { HostGateOptions } from '#http/browser/host-gate.ts';
import type { ClusterFacts } from '#http/find.ts';

export interface BrowserOptions {
  readonly sessions: WebSessions;
  readonly signIn: (asked: { readonly user: string; readonly password: string; readonly clientAddress: string }) => Promise<WebSession>;
  readonly appsOf: (session: WebSession, clientAddress: string) => Promise<readonly OwnApp[]>;
  readonly launch: LaunchDeps;
  readonly appHosts: HostGateOptions['appHosts'];
  readonly nowMs: () => number;
}

/** What the routes of browsers have in common. */
export interface BrowserRoutes extends BrowserOptions {
  readonly facts: () => ClusterFacts;
  readonly onError: (error: unknown) => void;
}
