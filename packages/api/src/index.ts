// Generated messages by name; `protobufPackage` stands in each file, so nothing is exported wholesale.
export { AccessService, ExplainAccessRequest, ExplainAccessResponse } from '#gen/postern/v1/access.ts';
export {
  AppendEventsRequest,
  AppendEventsResponse,
  AuditEvent,
  AuditRecord,
  AuditService,
  QueryEventsRequest,
  VerifyLogProgress,
  VerifyLogRequest,
  VerifyLogResponse,
} from '#gen/postern/v1/audit.ts';
export { CertsService, IssueSessionCertRequest, RenewHostCertRequest, SessionCert } from '#gen/postern/v1/certs.ts';
export { Identity, Identity_Kind, Identity_TraitsEntry, Route, Values } from '#gen/postern/v1/identity.ts';
export { HostIdentity, JoinRequest, JoinService } from '#gen/postern/v1/join.ts';
export { LoginService, SignInRequest, SignInResponse } from '#gen/postern/v1/login.ts';
export {
  AnnounceProxyRequest,
  AnnounceProxyResponse,
  AnnounceServersRequest,
  AnnounceServersResponse,
  AnnounceServersResponse_EffectiveLabelsEntry,
  LabelSet,
  LabelSet_LabelsEntry,
  PresenceService,
  Refusal,
  Server,
  Server_LabelsEntry,
} from '#gen/postern/v1/presence.ts';
export {
  DeleteResourceResponse,
  ListResourcesRequest,
  ListResourcesResponse,
  PutResourceResponse,
  Resource,
  ResourceEvent,
  ResourceEvent_Type,
  ResourceRef,
  ResourcesService,
  WatchResourcesRequest,
  WriteResourceRequest,
} from '#gen/postern/v1/resources.ts';
export { RouteKey, RouteKeySet, RouteKeysService, WatchRouteKeysRequest } from '#gen/postern/v1/route_keys.ts';
export {
  AgentSessionService,
  Bytes,
  ConsoleSignIn,
  DescribeSessionRequest,
  SessionInfo,
  SignInToConsoleRequest,
} from '#gen/postern/v1/session.ts';
export { Authority, ClusterStatus, GetStatusRequest, StatusService } from '#gen/postern/v1/status.ts';
export {
  AddTokenRequest,
  AddTokenRequest_LabelsEntry,
  AddTokenResponse,
  DeleteTokenRequest,
  DeleteTokenResponse,
  ListTokensRequest,
  ListTokensResponse,
  TokenInfo,
  TokenInfo_LabelsEntry,
  TokensService,
} from '#gen/postern/v1/tokens.ts';
export {
  AgentFrame,
  AgentHello,
  DialRequest,
  Drain,
  OpenCarries,
  ProxyFrame,
  ProxyHello,
  ReverseTunnelService,
  Spread,
} from '#gen/postern/v1/tunnel.ts';
export {
  CreateUserRequest,
  CreateUserRequest_TraitsEntry,
  CreateUserResponse,
  ResetPasswordRequest,
  ResetPasswordResponse,
  TraitValues,
  UpdateUserRequest,
  UpdateUserRequest_SetTraitsEntry,
  UpdateUserResponse,
  UsersService,
} from '#gen/postern/v1/users.ts';
export * from '#audit-event.ts';
export * from '#call.ts';
export * from '#errors.ts';
export type { Caller, CallContext, CallGate, IdentifiedCaller } from '#admit.ts';
export * from '#implement.ts';
export { ERROR_CODE_KEY, statusOf } from '#status.ts';
export * from '#raw-bytes.ts';
export * from '#rules.ts';
export type { CallOrigin, RawServerCall, ServerSurfaceCall, StatusObject } from '#grpc-types.ts';
