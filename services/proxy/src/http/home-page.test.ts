import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { homePage } from '#http/home-page.ts';
import { pageStyleHash } from '#http/pages/page.ts';

describe('the page of a proxy', () => {
  it('gives the commands with the address of this proxy, and no pin', () => {
    const page = homePage({ cluster: 'example.com', publicAddress: 'teleport.example.com:443' });
    expect(page).toContain('tsh login --proxy=teleport.example.com:443 --user=');
    expect(page).not.toContain('sha256:');
  });

  it('has a style that its Content-Security-Policy knows, and no script', () => {
    const page = homePage({ cluster: 'a', publicAddress: 'b:1' });
    const style = /<style>(.*)<\/style>/s.exec(page)?.[1] ?? '';
    expect(pageStyleHash).toBe(`'sha256-${createHash('sha256').update(style).digest('base64')}'`);
    expect(page).not.toMatch(/<script|style=| on[a-z]+=/);
  });

  it('shows a name as text, whatever it holds', () => {
    const page = homePage({ cluster: '<img src=x onerror="x">', publicAddress: `'"&` });
    expect(page).not.toContain('<img');
    expect(page).toContain('&#60;img src=x onerror=&#34;x&#34;&#62;');
    expect(page).toContain('&#39;&#34;&#38;');
  });
});
