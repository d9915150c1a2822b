import { describe, expect, it } from 'vitest';
import { areaPath, historySeries, largest, linePath, nearest, niceCeiling, scale } from '../src/lib/chart';

const BY = scale({ left: 0, right: 100, top: 0, bottom: 50 }, 0, 1_000, 10);

describe('a chart', () => {
  it.each([
    [0, 1],
    [0.013, 0.015],
    [7, 8],
    [10, 10],
    [201, 300],
  ])('whose largest value is %d reaches up to %d', (value, top) => {
    expect(niceCeiling(value)).toBeCloseTo(top, 10);
  });

  it('draws a line, broken where nothing was measured', () => {
    const points = [
      { at: 0, value: 0 },
      { at: 500, value: 10 },
      { at: 700, value: null },
      { at: 1_000, value: 5 },
    ];
    expect(linePath(points, BY)).toBe('M0.0 50.0L50.0 0.0M100.0 25.0');
    expect(largest([points])).toBe(10);
  });

  it('closes an area down to zero', () => {
    expect(
      areaPath(
        [
          { at: 0, value: 10 },
          { at: 1_000, value: 10 },
        ],
        BY,
      ),
    ).toBe('M0.0 0.0L100.0 0.0L100.0 50.0L0.0 50.0Z');
    expect(areaPath([], BY)).toBe('');
  });

  it('finds the point under the pointer', () => {
    const points = [0, 400, 800].map((at) => ({ at, value: 1 }));
    expect(nearest(points, 650)).toBe(2);
    expect(nearest([], 1)).toBe(-1);
  });
});

it('fills the silence in a history: nothing happened, nothing was measured', () => {
  const history = [
    { at: 50, rate: 4 },
    { at: 0, rate: 2 },
    { at: 60, rate: null },
  ];
  const series = historySeries(history, 10, (point) => point.rate, 0);
  expect(series.map((point) => [point.at, point.value])).toEqual([
    [0, 2],
    [10, 0],
    [40, 0],
    [50, 4],
    [60, 0],
  ]);
  expect(historySeries(history, 10, (point) => point.rate, null).at(-1)?.value).toBeNull();
});
