// What axe finds wrong with a page, by the rules of WCAG 2.2 AA, in light and dark and on a desk and a phone.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const AXE = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
const SIZES = [
  { width: 1280, height: 800 },
  { width: 390, height: 844 },
];

/** What is wrong with the page as it is now, each with where; and whether it has to be scrolled sideways. Leaves it light, on a desk. */
export async function wrong(page, what, screenshots) {
  const found = [];
  for (const size of SIZES) {
    await page.setViewportSize(size);
    for (const colorScheme of ['dark', 'light']) {
      // Colours that are on their way to others are not what is read: without motion they are there at once.
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      const where = `${what}-${colorScheme}-${size.width}`;
      await page.screenshot({ path: `${screenshots}/${where}.png`, fullPage: true });
      await page.evaluate(AXE);
      const { violations } = await page.evaluate((values) => window.axe.run(document, { runOnly: { type: 'tag', values } }), RULES);
      for (const { id, nodes } of violations) found.push(`${where}: ${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join('; ')}`);
      if (await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth)) found.push(`${where}: wider than the screen`);
    }
  }
  await page.setViewportSize(SIZES[0]);
  return found;
}
