import { limits } from '@postern/limits';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { type Resource, ResourceError, kindOf, parseDocuments, parseResource, roleFromResource, toJson, toYaml } from '#index.ts';

function refusal(text: string): string {
  try {
    parseDocuments(text, { file: 'role.yaml' });
  } catch (error) {
    if (error instanceof ResourceError) return error.message;
    throw error;
  }
  return 'accepted';
}
function only(text: string): Resource {
  const [first] = parseDocuments(text, { file: 'x.yaml' });
  if (first === undefined) throw new Error('no document');
  return first.resource;
}
function role(spec: string, version = 'v6'): string {
  return `kind: role\nversion: ${version}\nmetadata:\n  name: dev\nspec:\n${spec}`;
}

describe('the files of the guides', () => {
  it('read as they are typed: the role for the database service', () => {
    const text =
      "kind: role\nversion: v6\nmetadata:\n  name: aws-dynamodb-access\nspec:\n  allow:\n    db_labels:\n      '*': '*'\n    db_users:\n    - 'ExampleTeleportDynamoDBRole'\n";
    const resource = only(text);
    expect(resource.kind === 'role' && roleFromResource(resource)).toEqual({
      name: 'aws-dynamodb-access',
      version: 'v6',
      allow: { dbLabels: { '*': ['*'] }, dbUsers: ['ExampleTeleportDynamoDBRole'] },
      deny: {},
      options: {},
    });
  });

  it('read as they are typed: roles with templates and two users in one file', () => {
    for (const arn of ["'{{internal.aws_role_arns}}'", "'arn:aws:iam:123456789000:role/{{email.local(external.email)}}'"]) {
      expect(only(role(`  allow:\n    app_labels:\n      '*': '*'\n    aws_role_arns: [${arn}]\n`, 'v5')).metadata.name).toBe('dev');
    }
    const users = ['alice', 'bob'].map(
      (name) =>
        `kind: user\nversion: v2\nmetadata:\n  name: ${name}\nspec:\n  roles: ['aws-dynamodb-access']\n  traits:\n    aws_role_arns: ['arn:aws:iam:123456789000:role/role_for_${name}']\n`,
    );
    const parsed = parseDocuments(users.join('---\n'), { file: 'users.yaml' });
    expect(parsed.map(({ resource, line }) => [resource.metadata.name, line])).toEqual([
      ['alice', 1],
      ['bob', 10],
    ]);
  });

  it('go round: a user got as out.yaml, a role added by hand, created again', () => {
    const stored = parseResource({
      kind: 'user',
      version: 'v2',
      metadata: { name: 'alice@example.com', revision: '9f', labels: { team: 'red' } },
      spec: {
        roles: ['access', 'auditor', 'editor'],
        traits: { logins: ['root'], db_users: null, kubernetes_users: [] },
        created_by: { time: '0001-01-01T00:00:00Z', user: { name: 'root' } },
        expires: '0001-01-01T00:00:00Z',
        status: {
          is_locked: false,
          lock_expires: '0001-01-01T00:00:00Z',
          locked_time: '0001-01-01T00:00:00Z',
          recovery_attempt_lock_expires: '0001-01-01T00:00:00Z',
        },
      },
    });
    const printed = toYaml([stored]);
    expect(only(printed)).toEqual(stored);
    const edited = only(printed.replace('    - editor\n', '    - editor\n    - aws-dynamodb-access\n'));
    expect(edited.kind === 'user' && edited.spec.roles).toEqual(['access', 'auditor', 'editor', 'aws-dynamodb-access']);
    expect(edited.metadata).toEqual(stored.metadata);
  });

  it('go round: a role with all that Teleport prints for servers and desktops', () => {
    const text = role(
      `  allow:
    db_labels: {env: [dev, test]}
    logins: ['{{internal.logins}}']
    node_labels: {'*': '*'}
    kubernetes_groups: ['{{internal.kubernetes_groups}}']
    kubernetes_resources: [{kind: pod, name: '*', namespace: '*', verbs: ['*']}]
    rules: [{resources: [db], verbs: [list, read]}]
  deny:
    logins: [guest]
  options:
    cert_format: standard
    create_db_user: false
    create_host_user: false
    desktop_clipboard: true
    device_trust_mode: ""
    disconnect_expired_cert: false
    enhanced_recording: [command, network]
    forward_agent: true
    idp: {saml: {enabled: true}}
    max_session_ttl: 30h0m0s
    pin_source_ip: false
    port_forwarding: true
    record_session: {default: best_effort, desktop: true}
    require_session_mfa: no
    ssh_file_copy: true
    lock: strict
`,
      'v7',
    );
    const resource = only(text);
    expect(only(toYaml([resource]))).toEqual(resource);
    expect(JSON.parse(toJson([resource]))).toEqual([JSON.parse(JSON.stringify(resource))]);
    expect(resource.kind === 'role' && roleFromResource(resource).options).toEqual({ maxSessionTtlMs: 108_000_000, lock: 'strict' });
  });
});

describe('parseDocuments', () => {
  it.each([
    [role('  deny:\n    db_lables:\n      env: prod\n'), 'role.yaml:7:5: spec.deny.db_lables: unknown field (did you mean db_labels?)'],
    [
      role('  allow:\n    db_labels:\n      env: 5\n'),
      'role.yaml:8:12: spec.allow.db_labels.env: must be a text, not a number; write it in quotes',
    ],
    [
      role('  allow:\n    db_labels:\n      env: [a, true]\n'),
      'role.yaml:8:16: spec.allow.db_labels.env[1]: must be a text, not true; write it in quotes',
    ],
    [
      role('  allow:\n    db_labels:\n      env: {a: b}\n'),
      'role.yaml:8:12: spec.allow.db_labels.env: must be a text, not a map of fields',
    ],
    [
      role('  allow:\n    db_labels: prod\n'),
      "role.yaml:7:16: spec.allow.db_labels: must be a map of label to text or list of texts, such as '*': '*'",
    ],
    [
      role("  allow:\n    db_labels:\n      a.b: ['ok', '^(?=x)$']\n"),
      'role.yaml:8:19: spec.allow.db_labels["a.b"][1]: not a regular expression that RE2 accepts: invalid or unsupported Perl syntax: `(?=`',
    ],
    [
      role("  allow:\n    db_labels:\n      env: '^(a$'\n"),
      'role.yaml:8:12: spec.allow.db_labels.env: not a regular expression that RE2 accepts: missing closing ): `^(a$`',
    ],
    [
      role("  allow:\n    db_users: ['{{internal.db_user}}']\n"),
      'role.yaml:7:16: spec.allow.db_users[0]: internal.db_user is not a variable',
    ],
    [role('  allow:\n    db_users: Admin\n'), 'role.yaml:7:15: spec.allow.db_users: must be a list, not a text'],
    [
      role('  options:\n    max_session_ttl: 8 hours\n'),
      'role.yaml:7:22: spec.options.max_session_ttl: must be a duration such as 8h or 1h30m',
    ],
    [role('  allow: {}\n', 'v9'), 'role.yaml:2:10: version: v9 is not a version of role; known ones: v3, v4, v5, v6, v7, v8'],
    ['kind: rol\nversion: v6', 'role.yaml:1:7: kind: rol is not a kind (did you mean role?); known ones: role, user, token'],
    ['kind: roles\nversion: v6', 'roles is not a kind (did you mean role?)'],
    ['version: v6', 'role.yaml:1:1: kind: is missing'],
    ['kind: role\nversion: 6', 'role.yaml:2:10: version: must be a text'],
    ['kind: role', 'version: is missing; a role has version v3, v4'],
    ['just a text', 'role.yaml:1:1: must be a resource'],
    ['# nothing\n---\n', 'role.yaml: holds no resource'],
    ['kind: role\nversion: v6\nmetadata: {}\nspec: {}', 'metadata.name: is missing'],
    ['kind: role\nversion: v6\nmetadata: {name: a/b}\nspec: {}', 'metadata.name: must be a name without slashes'],
    [
      'kind: role\nversion: v6\nmetadata: {name: "a\\u202eb"}\nspec: {}',
      'metadata.name: must be a name without slashes, control characters',
    ],
    ['kind: role\nversion: v6\nmetadata: {name: "@system"}\nspec: {}', 'metadata.name: names that begin with @ belong to the system'],
    [
      'kind: role\nversion: v6\nmetadata: {name: a, expires: tomorrow}\nspec: {}',
      'metadata.expires: must be a time such as 2027-01-31T12:00:00Z',
    ],
    ['kind: role\nversion: v6\nmetadata: {name: a, labels: {env: no, n: 1}}\nspec: {}', 'metadata.labels.n: must be a text, not a number'],
    ['kind: role\nversion: v6\nmetadata: {name: a}\nspec: {}\nstats: {}', 'role.yaml:5:1: stats: unknown field (did you mean status?)'],
  ])('refuses %j', (text, message) => {
    expect(refusal(text)).toContain(message);
  });

  it.each([
    [
      '  allow:\n    rules: [{resources: [user], verbs: [read], where: "contains(user.spec.traits)"}]\n',
      'spec.allow.rules[0].where: conditions are not supported',
    ],
    [
      '  allow:\n    db_labels_expression: \'labels["env"] == "dev"\'\n',
      'spec.allow.db_labels_expression: expressions over labels are not supported',
    ],
    ['  deny:\n    app_labels_expression: "true"\n', 'spec.deny.app_labels_expression: expressions over labels are not supported'],
    ['  options: {require_session_mfa: true}\n', 'spec.options.require_session_mfa: a second factor'],
    ['  options: {require_session_mfa: hardware_key_touch}\n', 'spec.options.require_session_mfa: a second factor'],
    ['  options: {pin_source_ip: true}\n', 'spec.options.pin_source_ip: binding'],
    ['  options: {device_trust_mode: required}\n', 'spec.options.device_trust_mode: trusted devices'],
    ['  options: {client_idle_timeout: 15m}\n', 'spec.options.client_idle_timeout: an idle time-out'],
    ['  options: {request_access: always}\n', 'spec.options.request_access: access requests'],
  ])('refuses a restriction that nobody would enforce: %j', (spec, message) => {
    expect(refusal(role(spec))).toContain(message);
  });

  it('accepts the same fields where they restrict nothing', () => {
    expect(
      refusal(
        role(
          '  allow:\n    db_labels_expression: ""\n    rules: [{resources: [user], verbs: [read], where: ""}]\n  options: {require_session_mfa: false, pin_source_ip: false, device_trust_mode: "off", client_idle_timeout: 0s, request_access: optional}\n',
        ),
      ),
    ).toBe('accepted');
  });

  it('returns nothing of a file of which one document is wrong, and says all that is', () => {
    const good = role('  allow: {}\n');
    const message = refusal(
      `${good}---\nkind: user\nversion: v2\nmetadata: {name: a}\nspec: {role: [x]}\n---\nkind: lock\nversion: v2\nmetadata: {name: l}\nspec: {target: {}}\n`,
    );
    expect(message.split('\n')).toEqual([
      'role.yaml:11:8: spec.role: unknown field (did you mean roles?)',
      'role.yaml:16:16: spec.target: must name a user, a role or a server_id',
    ]);
  });

  it('refuses one resource twice in a file, and reads the list that `get --format=json` prints', () => {
    const text = role('  allow: {}\n');
    expect(refusal(`${text}---\n${text}`)).toBe('role.yaml:11:9: metadata.name: role/dev stands in this file already, at line 1');
    const list = toJson([only(text), only(text.replace('dev', 'ops'))]);
    expect(parseDocuments(list, { file: 'x.json' }).map(({ resource }) => resource.metadata.name)).toEqual(['dev', 'ops']);
    expect(refusal(list.replace('"spec"', '"sepc"'))).toContain('sepc: unknown field (did you mean spec?)');
  });

  it('keeps labels and traits named like parts of every object as data', () => {
    const text =
      '{"kind":"user","version":"v2","metadata":{"name":"a","labels":{"__proto__":"x","constructor":"y"}},"spec":{"roles":["__proto__"],"traits":{"__proto__":["z"]}}}';
    const resource = only(text);
    expect(Object.keys(resource.metadata.labels ?? {})).toEqual(['__proto__', 'constructor']);
    expect(JSON.stringify(resource)).toBe(text);
    expect(toJson([only(toYaml([resource]))])).toBe(toJson([resource]));
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });
});

describe('what is said of a file', () => {
  it('never repeats a token, nor a text that could be one', () => {
    const token = 'kind: token\nversion: v2\nmetadata: {name: 0123456789abcdef}\nspec: {roles: [Db]}\n';
    expect(refusal(`${token}---\n${token}`)).toContain('metadata.name: a token of this name stands in this file already, at line 1');
    for (const text of [
      `${token}---\n${token}`,
      'a: b\n"0123456789abcdef',
      '}0123456789abcdef',
      '- a\n0123456789abcdef',
      'kind: token\n  0123456789abcdef: x',
      '"a" 0123456789abcdef',
    ]) {
      expect(refusal(text)).not.toContain('0123456789abcdef');
    }
  });

  it('takes null for a field that nobody wrote, as Teleport prints it', () => {
    const resource = only(role('  allow: {db_labels: null, db_users: null, rules: null}\n  deny: null\n  options: null\n'));
    expect(resource.kind === 'role' && roleFromResource(resource)).toMatchObject({ allow: {}, deny: {}, options: {} });
  });

  it('refuses a label with control characters, which would reach terminals', () => {
    expect(refusal('kind: role\nversion: v6\nmetadata: {name: a, labels: {env: "\\u001b[2J"}}\nspec: {}')).toContain(
      'metadata.labels.env: must not hold control characters',
    );
  });
});

describe('other kinds', () => {
  const read = (kind: string, version: string, spec: unknown): string => {
    try {
      parseResource({ kind, version, metadata: { name: 'a' }, spec });
    } catch (error) {
      if (error instanceof ResourceError) return error.message;
      throw error;
    }
    return 'accepted';
  };

  it('takes a lock of a user, a role or an agent, and refuses one that would lock nothing', () => {
    expect(read('lock', 'v2', { target: { user: 'alice' }, message: 'left', expires: '2027-01-01T00:00:00Z' })).toBe('accepted');
    expect(read('lock', 'v2', { target: { mfa_device: 'x' } })).toContain('spec.target.mfa_device: nothing here is locked by it');
    expect(read('lock', 'v2', { target: { usr: 'alice' } })).toContain('spec.target.usr: unknown field (did you mean user?)');
  });

  it('takes a join token for its own services and method only', () => {
    expect(read('token', 'v2', { roles: ['Db'], join_method: 'token' })).toBe('accepted');
    expect(read('token', 'v2', { roles: ['Node'] })).toBe('spec.roles[0]: must be one of db, app, proxy');
    expect(read('token', 'v2', { roles: ['Db'], join_method: 'iam' })).toContain('spec.join_method: must be one of token');
    expect(read('token', 'v2', { roles: ['Db'], allow: [{ aws_account: '123456789012' }] })).toContain(
      'spec.allow: only the join method token',
    );
  });

  it('takes no password, no lock and no end of a user that nobody would act upon', () => {
    expect(read('user', 'v2', { roles: ['access'] })).toBe('accepted');
    expect(read('user', 'v2', { local_auth: { password_hash: 'x' } })).toContain('passwords and second factors are not taken');
    expect(read('user', 'v2', { status: { is_locked: true } })).toContain('spec.status.is_locked: a user is locked with');
    expect(read('user', 'v2', { expires: '2027-01-01T00:00:00Z' })).toContain('metadata.expires');
  });

  it('takes a user of so many roles and refuses one more [limit rolesPerUser]', () => {
    const rolesOf = (count: number) => read('user', 'v2', { roles: Array.from({ length: count }, (_, index) => `r${index}`) });
    expect(rolesOf(limits.rolesPerUser)).toBe('accepted');
    expect(rolesOf(limits.rolesPerUser + 1)).toContain('has more than 100 entries');
  });

  it('takes labels at their limits and refuses one past each [limit labelsPerResource] [limit labelNameCharacters] [limit labelValueCharacters]', () => {
    const labelled = (labels: Readonly<Record<string, string>>) => {
      try {
        parseDocuments(JSON.stringify({ kind: 'role', version: 'v6', metadata: { name: 'a', labels }, spec: {} }), { file: 'x.yaml' });
        return 'accepted';
      } catch (error) {
        return (error as Error).message;
      }
    };
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`l${index}`, 'x']));
    expect(labelled(many(limits.labelsPerResource))).toBe('accepted');
    expect(labelled(many(limits.labelsPerResource + 1))).toContain('more than 64 labels');
    expect(labelled({ ['k'.repeat(limits.labelNameCharacters)]: 'x' })).toBe('accepted');
    expect(labelled({ ['k'.repeat(limits.labelNameCharacters + 1)]: 'x' })).toContain('has 1 to 63 characters');
    expect(labelled({ k: 'v'.repeat(limits.labelValueCharacters) })).toBe('accepted');
    expect(labelled({ k: 'v'.repeat(limits.labelValueCharacters + 1) })).toContain('longer than 256 characters');
  });

  it('takes the one sign-in setting that is enforced', () => {
    expect(read('cluster_auth_preference', 'v2', { type: 'local', second_factor: 'off' })).toBe('accepted');
    expect(read('cluster_auth_preference', 'v2', { second_factor: 'otp' })).toContain('second factors are not supported yet');
    expect(read('cluster_auth_preference', 'v2', { locking_mode: 'strict' })).toContain('best_effort');
  });

  it('says the same of a value from the wire as of a file, without places', () => {
    expect(read('role', 'v6', { deny: { db_lables: {} } })).toBe('spec.deny.db_lables: unknown field (did you mean db_labels?)');
    for (const value of [null, 5, 'role', [], { kind: '__proto__', version: 'v6' }])
      expect(() => parseResource(value)).toThrow(ResourceError);
  });

  it('knows the words that people use for a kind', () => {
    const words = ['roles', 'Role', 'users', 'databases', 'db', 'dbs', 'tokens', 'locks', 'cap', 'apps', 'db-servers', 'proxies'];
    expect(words.map(kindOf)).toEqual([
      'role',
      'role',
      'user',
      'db',
      'db',
      'db',
      'token',
      'lock',
      'cluster_auth_preference',
      'app',
      'db_server',
      'proxy',
    ]);
    for (const word of ['', 'rolez', '__proto__', 'constructor']) expect(kindOf(word)).toBeUndefined();
  });
});

describe('printing', () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });
  const labelName = fc.stringMatching(/^[\w/.:*+=@-]{1,12}$/u);
  // Line and paragraph separators, among the graphemes now and then, are refused in a label.
  const labelValue = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((value) => !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(value));
  const user = fc.record({
    labels: fc.dictionary(labelName, labelValue, { maxKeys: 4 }),
    traits: fc.dictionary(text, fc.array(fc.string({ unit: 'grapheme', maxLength: 12 }), { maxLength: 3 }), { maxKeys: 4 }),
    description: fc.oneof(
      text,
      fc.constantFrom('no', 'true', '1', '1.10', '0x1f', '~', '*', '- a', 'a: b', '&x', '!!js', '# c', '2026-01-01', '\u2028', 'a\n---\nb'),
    ),
  });

  it('is read back as the same resources, whatever the texts are', () => {
    fc.assert(
      fc.property(user, ({ labels, traits, description }) => {
        const resource = parseResource({
          kind: 'user',
          version: 'v2',
          metadata: { name: 'a', description, labels },
          spec: { roles: [], traits },
        });
        expect(only(toYaml([resource]))).toEqual(resource);
        expect(only(toJson([resource]))).toEqual(resource);
      }),
      { numRuns: 500 },
    );
  });
});
