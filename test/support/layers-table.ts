import { LAYERS, PACKAGE_OWNERS } from './layers.ts';

const START = '<!-- layers: start -->';
const END = '<!-- layers: end -->';

/** The text with the table of `LAYERS` between its markers. */
export function withLayersTable(text: string): string {
  const start = text.indexOf(START);
  const end = text.indexOf(END);
  if (start === -1 || end < start) throw new Error(`the document lacks ${START} and ${END}`);
  const section = [
    '',
    '',
    ...table(),
    '',
    'Some packages belong to a few folders:',
    '',
    ...owners(),
    '',
    '',
  ].join('\n');
  return text.slice(0, start + START.length) + section + text.slice(end);
}

function table(): readonly string[] {
  const rows = LAYERS.map(({ folder, purpose, folders, packages }) => {
    const names = packages.includes('*') ? 'any' : list(packages);
    return `| ${code(folder)} | ${purpose} | ${list(folders)} | ${names} |`;
  });
  return ['| folder | holds | imports | packages |', '| --- | --- | --- | --- |', ...rows];
}

function owners(): readonly string[] {
  return PACKAGE_OWNERS.map(({ packages, layers }) => `- ${list(packages)}: only in ${list(layers)}.`);
}

function list(names: readonly string[]): string {
  return names.map(code).join(', ') || 'none';
}

function code(name: string): string {
  return `\`${name.replace(/^src\//, '')}\``;
}
