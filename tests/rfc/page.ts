import { evidenceOf, testName, type Clause, type Evidence, type Rfc, type Verdict } from './clause.ts';

const HEAD = `# The RFCs, clause by clause

<!-- Made from tests/rfc/clauses/ by \`make rfc\`. -->

Each MUST, MUST NOT, SHOULD and SHOULD NOT that binds a DHCP client or a host, in our own words; also where an RFC writes
it in lower case, or as a cell of a table. What binds servers, relays and authors of further documents is left out.

- **met**: these tests show it. A clause without a test is not met. \`make test\` fails when one of them is not there, did
  not run, was skipped, or failed (\`tests/rfc/\`).
- **deviates**: the program does something else, for the reason that is given.
- **does not apply**: the clause is about something that the program does not do, or is not.

Tests are named by their file and, after a colon, their name.
`;

const KINDS = ['met', 'deviates', 'does not apply'] as const satisfies readonly Verdict['kind'][];

function titleOf({ number, title }: Rfc): string {
  return `RFC ${number}: ${title}`;
}

/** The anchor that GitHub makes of a heading. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
    .replaceAll(' ', '-');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows.map((cells) => cells.map(cell))];
  return `${lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n`;
}

function cell(text: string): string {
  return text
    .replaceAll(/\s+/g, ' ')
    .replaceAll('|', String.raw`\|`)
    .replaceAll('<', '&lt;');
}

function summary(rfcs: readonly Rfc[]): string {
  const count = (clauses: readonly Clause[]): readonly string[] =>
    KINDS.map((kind) => `${clauses.filter(({ verdict }) => verdict.kind === kind).length}`);
  const rows = rfcs.map((rfc) => {
    const title = titleOf(rfc);
    return [`[${title}](#${anchor(title)})`, ...count(rfc.clauses)];
  });
  return table(['RFC', ...KINDS], [...rows, ['all', ...count(rfcs.flatMap(({ clauses }) => clauses))]]);
}

/** Tests of one file are named behind it, once. */
function tests(evidence: readonly Evidence[]): string {
  return [...Map.groupBy(evidence, ({ file }) => file)]
    .map(([file, those]) => `\`${file}\`: ${those.map((each) => testName(each)).join('; ')}`)
    .join('. ');
}

function verdictText(clause: Clause): string {
  const { verdict } = clause;
  const said = verdict.kind === 'met' ? verdict.note : verdict.why;
  const head = `**${verdict.kind}**`;
  const parts = [said?.replace(/\.$/, ''), tests(evidenceOf(clause))].filter(
    (part) => part !== undefined && part !== '',
  );
  return `${head}: ${parts.join('. ')}`;
}

function section(rfc: Rfc): string {
  const rows = rfc.clauses.map((clause) => [clause.section, clause.level, clause.says, verdictText(clause)]);
  const scope = rfc.scope === undefined ? [] : [`${rfc.scope}\n`];
  return [`## ${titleOf(rfc)}\n`, ...scope, table(['section', 'level', 'clause', 'verdict'], rows)].join(
    '\n',
  );
}

/** docs/rfc.md */
export function rfcPage(rfcs: readonly Rfc[]): string {
  return [HEAD, summary(rfcs), ...rfcs.map(section)].join('\n');
}
