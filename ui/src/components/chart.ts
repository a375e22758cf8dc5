/** The uPlot options of our time charts. Must not know what is charted. */
import type uPlot from 'uplot';
import { compact } from '../lib/format';

export interface ChartSeries {
  label: string;
  values: number[];
  /** A colour token, as in `--series-1`. */
  token: string;
  /** Filled below, for the one series that carries the chart. */
  filled?: boolean;
  /** Dashed, to be told apart without colour. */
  dashed?: boolean;
}

/** The canvas cannot read tokens: this resolves one in the light of `at`. */
export function colour(at: HTMLElement, token: string): string {
  const probe = document.createElement('i');
  probe.style.color = `var(${token})`;
  at.append(probe);
  const resolved = getComputedStyle(probe).color;
  probe.remove();
  return resolved;
}

function faded(resolved: string, alpha: number): string {
  const channels = /^rgba?\(([^)]+)\)$/
    .exec(resolved)?.[1]
    ?.split(/[\s,/]+/)
    .slice(0, 3);
  return channels ? `rgb(${channels.join(' ')} / ${alpha})` : resolved;
}

export function options(
  at: HTMLElement,
  series: ChartSeries[],
  size: { width: number; height: number },
  onCursor: (index: number | null) => void,
): uPlot.Options {
  const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
  const text = colour(at, '--text-3');
  const line = colour(at, '--line');
  const font = `${rem * 0.6875}px "Inter Variable", system-ui, sans-serif`;
  const axis = { stroke: text, font, ticks: { show: false }, gap: rem * 0.4 };
  return {
    ...size,
    padding: [rem * 0.5, rem * 0.75, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { setScale: false }, points: { size: 7 } },
    scales: { x: { time: true }, y: { range: (_, __, top) => [0, niceTop(top)] } },
    axes: [
      { ...axis, grid: { show: false }, size: rem * 1.7, space: rem * 5, values: times },
      {
        ...axis,
        grid: { stroke: line, width: 1 },
        size: rem * 3.1,
        space: rem * 2.4,
        incrs: [
          1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7, 5e7, 1e8,
        ],
        values: (_, ticks) =>
          ticks.map((tick) =>
            compact(tick)
              .replace(/\.0+(?=[kMB]$)/, '')
              .replace(/(\.\d)0(?=[kMB]$)/, '$1'),
          ),
      },
    ],
    series: [
      {},
      ...series.map((one): uPlot.Series => {
        const stroke = colour(at, one.token);
        return {
          label: one.label,
          stroke,
          width: 1.75,
          dash: one.dashed ? [5, 4] : undefined,
          fill: one.filled ? (plot) => below(plot, stroke) : undefined,
          points: { show: false },
        };
      }),
    ],
    hooks: { setCursor: [(plot) => onCursor(plot.cursor.idx ?? null)] },
  };
}

function below(plot: uPlot, stroke: string): CanvasGradient | string {
  const { top, height } = plot.bbox;
  if (!Number.isFinite(top) || height <= 0) return faded(stroke, 0.12);
  const gradient = plot.ctx.createLinearGradient(0, top, 0, top + height);
  gradient.addColorStop(0, faded(stroke, 0.24));
  gradient.addColorStop(1, faded(stroke, 0.02));
  return gradient;
}

function niceTop(top: number | null): number {
  if (!top || top < 4) return 4;
  const step = 10 ** Math.floor(Math.log10(top));
  return Math.ceil((top * 1.05) / (step / 2)) * (step / 2);
}

function times(_: uPlot, ticks: number[], __: number, ___: number, increment: number): string[] {
  return ticks.map((tick) => {
    const date = new Date(tick * 1000);
    if (increment >= 86_400 || (date.getHours() === 0 && date.getMinutes() === 0)) {
      return date.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' });
    }
    return date.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
  });
}
