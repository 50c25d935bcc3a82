import { describe, expect, it } from 'vitest';

import { type Role, type Traits, compileSubject, decide } from '#index.ts';

function allows(value: string, principal: string, traits: Traits): boolean {
  const role: Role = { name: 'r', version: 'v6', allow: { dbLabels: { '*': ['*'] }, dbUsers: [value] }, deny: {}, options: {} };
  return decide(compileSubject({ user: 'alice', roles: [role], traits }), {
    kind: 'db',
    name: 'orders',
    labels: {},
    principal: [principal],
  }).allowed;
}
function matches(value: string, label: string, traits: Traits): boolean {
  const role: Role = { name: 'r', version: 'v6', allow: { dbLabels: { team: [value] } }, deny: {}, options: {} };
  return decide(compileSubject({ user: 'alice', roles: [role], traits }), { kind: 'db', name: 'orders', labels: { team: label } }).allowed;
}

describe('a template', () => {
  it('becomes one value for each of the trait, with the text around it', () => {
    const traits = { team: ['red', 'blue'], 'http://schemas/role': ['Ops'] };
    expect(allows('x-{{external.team}}-y', 'x-blue-y', traits)).toBe(true);
    expect(allows('x-{{ external.team }}-y', 'x-green-y', traits)).toBe(false);
    expect(allows('{{external["http://schemas/role"]}}', 'Ops', traits)).toBe(true);
    expect(allows('{{internal.db_users}}', 'Mine', { db_users: ['Mine'] })).toBe(true);
  });

  it('takes the local part of an address, as the guide does for role ARNs', () => {
    const value = 'arn:aws:iam::123456789000:role/{{email.local(external.email)}}';
    expect(allows(value, 'arn:aws:iam::123456789000:role/alice', { email: ['alice@example.com'] })).toBe(true);
    for (const email of ['alice', '@example.com', 'alice@', 'a b@example.com', 'Alice <alice@example.com>']) {
      expect(allows(value, 'arn:aws:iam::123456789000:role/alice', { email: [email] })).toBe(false);
      expect(allows(value, 'arn:aws:iam::123456789000:role/', { email: [email] })).toBe(false);
    }
  });

  it('replaces with groups as Go does, and drops a text that does not match', () => {
    const value = '{{regexp.replace(external.group, "^aws-(.*)$", "Role-$1")}}';
    expect(allows(value, 'Role-dev', { group: ['aws-dev', 'gcp-dev'] })).toBe(true);
    expect(allows(value, 'gcp-dev', { group: ['gcp-dev'] })).toBe(false);
    expect(allows('{{regexp.replace(external.g, "(a)(b)", "${2}$1$$")}}', 'xba$y', { g: ['xaby'] })).toBe(true);
    expect(allows('{{regexp.replace(email.local(external.e), `\\W`, "_")}}', 'a_b', { e: ['a.b@example.com'] })).toBe(true);
  });

  it('gives nothing for a missing trait, also one named like a part of every object', () => {
    for (const name of ['absent', 'constructor', 'toString', '__proto__']) {
      expect(allows(`{{external.${name}}}`, '', {})).toBe(false);
      expect(allows(`x{{external.${name}}}`, 'x', {})).toBe(false);
      expect(matches(`{{external.${name}}}`, '', {})).toBe(false);
    }
    expect(allows('{{external.__proto__}}', 'a', JSON.parse('{"__proto__":["a"]}'))).toBe(true);
  });

  it('RB-04 takes what a trait holds for text: no wildcard, no pattern, no second template', () => {
    const traits = { t: ['*', '.*', '^.*$', '{{internal.logins}}', 'arn:aws:iam::*:role/*'], logins: ['Admin'] };
    for (const principal of ['Admin', 'anything', 'arn:aws:iam::123456789012:role/Admin'])
      expect(allows('{{external.t}}', principal, traits)).toBe(false);
    for (const label of ['prod', 'Admin', '']) {
      expect(matches('{{external.t}}', label, traits)).toBe(false);
      expect(matches('^{{external.t}}$', label, traits)).toBe(false);
      expect(matches('^[{{external.t}}]$', label, { t: ['a-z'] })).toBe(false);
    }
    expect(matches('{{external.t}}', '^.*$', traits)).toBe(true);
    expect(matches('^{{external.t}}$', '.*', traits)).toBe(true);
  });

  it('keeps the wildcards and patterns that the role itself writes around a trait', () => {
    expect(matches('{{external.t}}-*', 'red-1', { t: ['red'] })).toBe(true);
    expect(matches('{{external.t}}-*', 'blue-1', { t: ['red'] })).toBe(false);
    expect(matches('^{{external.t}}-[0-9]+$', 'red-12', { t: ['red'] })).toBe(true);
    expect(matches('^{{external.t}}-[0-9]+$', 'red-x', { t: ['red'] })).toBe(false);
  });

  it('stays a condition of its label where its trait is missing', () => {
    const role: Role = {
      name: 'r',
      version: 'v6',
      allow: { dbLabels: { env: ['dev'], team: ['{{external.team}}'] } },
      deny: {},
      options: {},
    };
    const request = { kind: 'db', name: 'orders', labels: { env: 'dev', team: 'red' } } as const;
    expect(decide(compileSubject({ user: 'a', roles: [role], traits: {} }), request).allowed).toBe(false);
    expect(decide(compileSubject({ user: 'a', roles: [role], traits: { team: ['red'] } }), request).allowed).toBe(true);
  });
});
