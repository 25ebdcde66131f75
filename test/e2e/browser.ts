import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type Page } from "playwright-core";

/** Where distributions and Playwright's own image put it. */
const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/**
 * Does something with a page of a real browser. Where that fails a picture of the page is kept, and the error says where.
 * @throws Error where no Chromium is installed: a browser's test that does not run says nothing.
 */
export async function withPage(act: (page: Page) => Promise<void>): Promise<void> {
  const executablePath = PLACES.find((path) => existsSync(path));
  if (executablePath === undefined)
    throw new Error(
      `no Chromium at ${PLACES.join(", ")}: \`apt-get install --no-install-recommends chromium\`, as .ci/run does`,
    );
  // What is looked at is on this machine, whatever proxy it has; as root Chromium has no sandbox.
  const browser = await chromium.launch({ executablePath, args: ["--no-proxy-server"], chromiumSandbox: false });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(30_000);
    try {
      await act(page);
    } catch (error) {
      const path = join(mkdtempSync(join(tmpdir(), "keelson-page-")), "page.png");
      await page.screenshot({ path, fullPage: true }).catch(() => undefined);
      throw new Error(`${(error as Error).message}\nthe page as it was: ${path}`, { cause: error });
    }
  } finally {
    await browser.close();
  }
}
