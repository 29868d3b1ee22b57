import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

// Docker is not available to the tests, so they compare the files with the project.
const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string): string => readFileSync(`${root}${path}`, 'utf8');
const compose = read('docker-compose.yml');
const dockerfile = read('Dockerfile').replaceAll(/\\\n/g, ' ');

/** The block below a line, by its indentation. */
function block(text: string, key: string, indent: number): string {
  const start = new RegExp(`^ {${indent}}${key}:.*\\n`, 'm').exec(text);
  if (start === null) throw new Error(`there is no ${key}`);
  const rest = text.slice(start.index + start[0].length);
  const end = rest.search(new RegExp(`^ {0,${indent}}\\S`, 'm'));
  return end === -1 ? rest : rest.slice(0, end);
}

const keysOf = (text: string, indent: number): string[] =>
  [...text.matchAll(new RegExp(`^ {${indent}}([\\w-]+):`, 'gm'))].map((match) => match[1] as string);

const services = block(compose, 'services', 0);
const named = (name: string): string => block(services, name, 2);

/** The source of a compiled program. */
const sourceOf = (path: string): string => path.replace(/^dist\//, '').replace(/\.js$/, '.ts');

describe('docker-compose.yml', () => {
  it('runs the whole service', () => {
    expect(keysOf(services, 2)).toEqual(['postgres', 'nats', 'migrate', 'server', 'worker']);
  });

  it('starts each service after its dependencies are healthy', () => {
    const needs = (name: string): string[] => keysOf(block(named(name), 'depends_on', 4), 6);

    expect({ migrate: needs('migrate'), server: needs('server'), worker: needs('worker') }).toEqual({
      migrate: ['postgres'],
      server: ['migrate', 'nats'],
      worker: ['server'],
    });
    for (const name of ['postgres', 'nats', 'server'])
      expect(keysOf(named(name), 4)).toContain('healthcheck');
  });

  it('runs programs that exist', () => {
    const programs = [...`${compose}\n${dockerfile}`.matchAll(/dist\/[\w/-]+\.js/g)].map(([path]) =>
      sourceOf(path),
    );

    expect(programs).toContain('worker/main.ts');
    expect(programs.filter((path) => !existsSync(`${root}${path}`))).toEqual([]);
  });

  it('sets only variables that the programs read', () => {
    const config = read('src/config/config.ts');
    const variables = ['migrate', 'server', 'worker'].flatMap((name) =>
      keysOf(block(named(name), 'environment', 4), 6),
    );

    expect(variables.filter((name) => !config.includes(`  ${name}: `))).toEqual([]);
  });

  it('stores data in declared volumes', () => {
    const used = [...services.matchAll(/^ {6}- (\w+):\//gm)].map((match) => match[1]);

    expect(used.sort()).toEqual(keysOf(block(compose, 'volumes', 0), 2).sort());
  });

  it('stores JetStream on disk and syncs before acknowledging', () => {
    expect(block(compose, 'configs', 0)).toMatch(/jetstream \{[^}]*sync_interval: always/);
  });
});

describe('Dockerfile', () => {
  const copies = [...dockerfile.matchAll(/^COPY (?!--from)(?:--\S+ )*(.+) \S+$/gm)].flatMap((match) =>
    (match[1] as string).split(/\s+/),
  );

  it('copies files that exist and that .dockerignore allows', () => {
    const allowed = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));

    expect(copies).toContain('src');
    expect(copies.filter((path) => !existsSync(`${root}${path}`) || !allowed.includes(path))).toEqual([]);
  });

  it('copies from declared stages only', () => {
    const stages = [...dockerfile.matchAll(/^FROM \S+ AS (\w+)/gm)].map((match) => match[1]);
    const used = [...dockerfile.matchAll(/--from=(\w+)/g)].map((match) => match[1]);

    expect([...new Set(used)]).toEqual(stages);
  });

  it('does not run as root', () => {
    expect(dockerfile.lastIndexOf('\nUSER node')).toBeGreaterThan(dockerfile.lastIndexOf('\nFROM '));
  });
});
