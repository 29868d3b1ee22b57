import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { findChromium } from './chromium.ts';
import { eventually } from './edge.ts';

/** Without them Chromium calls home at every start. */
const QUIET = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
];

/** GraphiQL as somebody uses it, in a browser without a past. */
export class GraphiqlBrowser {
  readonly page: Page;
  /** Addresses the page asked for outside this machine. */
  readonly foreignRequests: string[] = [];
  readonly errors: string[] = [];
  readonly #context: BrowserContext;
  readonly #profile: string;

  private constructor(context: BrowserContext, page: Page, profile: string) {
    this.#context = context;
    this.#profile = profile;
    this.page = page;
    page.on('request', (request) => {
      const isLocal = /^(blob:|data:|http:\/\/127\.0\.0\.1:)/.test(request.url());
      if (!isLocal) this.foreignRequests.push(request.url());
    });
    page.on('pageerror', (error) => this.errors.push(String(error)));
  }

  static async open(url: string): Promise<GraphiqlBrowser> {
    const profile = await mkdtemp(path.join(tmpdir(), 'chromium-'));
    const isRoot = process.getuid?.() === 0;
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: await findChromium(),
      headless: true,
      args: isRoot ? ['--no-sandbox', ...QUIET] : QUIET,
      viewport: { width: 1600, height: 1000 },
    });
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    const page = context.pages()[0] ?? (await context.newPage());
    const browser = new GraphiqlBrowser(context, page, profile);
    await page.goto(url);
    await page.locator('.graphiql-execute-button').waitFor();
    return browser;
  }

  tabs(): Promise<string[]> {
    return this.page.getByRole('tab').allInnerTexts();
  }

  /** What an editor shows; Monaco writes spaces as no-break spaces. */
  async shown(part: 'query' | 'variables' | 'response'): Promise<string> {
    const text = await this.page.locator(`${EDITORS[part]} .view-lines`).innerText();
    return text.replaceAll('\u00a0', ' ');
  }

  /** Switches to a tab, fills its variables in, and runs it. */
  async run(tab: string, variables: Readonly<Record<string, unknown>>): Promise<void> {
    // GraphiQL stores edits late, and a tab chosen meanwhile is left again: choose until it stays.
    await eventually(
      async () => {
        await this.page.getByRole('tab').filter({ hasText: tab }).click();
        return this.shown('query');
      },
      (query) => query.includes(` ${tab}(`),
    );
    await this.page.locator(`${EDITORS.variables} .view-lines`).click();
    await this.page.keyboard.press('ControlOrMeta+A');
    // Typed, the editor would close quotes and brackets a second time.
    await this.page.evaluate((text) => navigator.clipboard.writeText(text), JSON.stringify(variables));
    await this.page.keyboard.press('ControlOrMeta+V');
    await this.page.locator('.graphiql-execute-button').click();
  }

  async close(): Promise<void> {
    await this.#context.close();
    await rm(this.#profile, { recursive: true, force: true });
  }
}

const EDITORS = {
  query: '.graphiql-query-editor',
  variables: '.graphiql-editor-tool .graphiql-editor:not(.hidden)',
  response: '.result-window',
} as const;
