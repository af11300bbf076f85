// A line plot as SVG, both axes logarithmic.

export interface Series {
  name: string
  /** Pairs (x, y), both above 0. */
  points: readonly (readonly [number, number])[]
}

const WIDTH = 900
const HEIGHT = 560
const MARGIN = { left: 70, right: 170, top: 40, bottom: 50 }

/** Bounds at powers of ten. */
function bounds(values: readonly number[]): [number, number] {
  const low = Math.floor(Math.log10(Math.min(...values)))
  const high = Math.ceil(Math.log10(Math.max(...values)))
  return [low, high > low ? high : low + 1]
}

function escapeText(text: string): string {
  return text.replace(/[&<>"]/g, (mark) => `&#${mark.charCodeAt(0)};`)
}

function power(exponent: number): string {
  if (exponent >= 6) return `${10 ** (exponent - 6)} M`
  if (exponent >= 3) return `${10 ** (exponent - 3)} k`
  return String(10 ** exponent)
}

function text(x: number, y: number, content: string, anchor = 'middle', color = '#333'): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="${color}">${escapeText(content)}</text>`
}

function color(index: number, count: number): string {
  return `hsl(${Math.round((360 * index) / count)} 65% 42%)`
}

/** Lines are named at their right end, pushed apart so that all can be read. */
export function plot(title: string, xLabel: string, yLabel: string, series: readonly Series[]): string {
  const points = series.flatMap((one) => one.points)
  const [x0, x1] = bounds(points.map(([x]) => x))
  const [y0, y1] = bounds(points.map(([, y]) => y))
  const right = WIDTH - MARGIN.right
  const bottom = HEIGHT - MARGIN.bottom
  const toX = (x: number) => MARGIN.left + ((Math.log10(x) - x0) / (x1 - x0)) * (right - MARGIN.left)
  const toY = (y: number) => bottom - ((Math.log10(y) - y0) / (y1 - y0)) * (bottom - MARGIN.top)
  const parts = [text(WIDTH / 2, 22, title), text((MARGIN.left + right) / 2, HEIGHT - 12, xLabel)]
  parts.push(`<g transform="rotate(-90 16 ${HEIGHT / 2})">${text(16, HEIGHT / 2, yLabel)}</g>`)
  const rule = (from: [number, number], to: [number, number]) =>
    parts.push(`<line x1="${from[0]}" y1="${from[1]}" x2="${to[0]}" y2="${to[1]}" stroke="#ddd"/>`)
  for (let e = x0; e <= x1; e++) {
    rule([toX(10 ** e), MARGIN.top], [toX(10 ** e), bottom])
    parts.push(text(toX(10 ** e), bottom + 18, power(e)))
  }
  for (let e = y0; e <= y1; e++) {
    rule([MARGIN.left, toY(10 ** e)], [right, toY(10 ** e)])
    parts.push(text(MARGIN.left - 6, toY(10 ** e) + 4, power(e), 'end'))
  }
  let lowest = Number.NEGATIVE_INFINITY
  const byEnd = series
    .map(({ name, points: line }, i) => ({ name, line, i, end: toY(line[line.length - 1][1]) }))
    .sort((a, b) => a.end - b.end)
  for (const { name, line, i, end } of byEnd) {
    const at = line.map(([x, y]) => `${toX(x).toFixed(1)},${toY(y).toFixed(1)}`).join(' ')
    const stroke = color(i, series.length)
    parts.push(`<polyline points="${at}" fill="none" stroke="${stroke}" stroke-width="1.5"/>`)
    lowest = Math.max(end, lowest + 14)
    parts.push(text(right + 8, lowest + 4, name, 'start', stroke))
  }
  const box = `width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}"`
  const style = 'font-family="sans-serif" font-size="12"'
  return `<svg xmlns="http://www.w3.org/2000/svg" ${box} ${style}>\n<rect width="100%" height="100%" fill="white"/>\n${parts.join('\n')}\n</svg>\n`
}
