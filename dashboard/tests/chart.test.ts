import { describe, expect, it } from 'vitest';
import {
  aboveZero,
  areaPath,
  historySeries,
  largest,
  linePath,
  lonePoints,
  nearest,
  niceCeiling,
  niceSpan,
  scale,
} from '../src/lib/chart';

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

  it.each([
    [9, 10],
    [25_000, 30_000],
    [35_000, 60_000],
    [615_000, 1_200_000],
    [9_000_000, 10_800_000],
  ])('of lengths of time, the longest of them %d ms, reaches up to %d', (value, top) => {
    expect(niceSpan(value)).toBe(top);
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

  it('finds the points that no line shows, such as the first hour of a service', () => {
    const points = [null, 3, null, 4, 5, null, 6].map((value, at) => ({ at, value }));
    expect(lonePoints(points)).toEqual([
      { at: 1, value: 3 },
      { at: 6, value: 6 },
    ]);
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

  it('draws nothing along the axis, but each rise from it and fall to it', () => {
    const values = (list: (number | null)[]) =>
      aboveZero(list.map((value, at) => ({ at, value }))).map((point) => point.value);
    expect(values([0, 0, 3, 0, 0, 0])).toEqual([null, 0, 3, 0, null, null]);
    expect(values([0, 0])).toEqual([null, null]);
  });

  it('finds the point under the pointer', () => {
    const points = [0, 400, 800].map((at) => ({ at, value: 1 }));
    expect(nearest(points, 650)).toBe(2);
    expect(nearest([], 1)).toBe(-1);
  });
});

describe('the history', () => {
  const history = [
    { at: 50, rate: 4 },
    { at: 20, rate: null },
    { at: 60, rate: 9 },
  ];
  const span = { from: 15, to: 69, step: 10 };

  it('has a point for every step, also where the service left quiet ones out, but for the one still running', () => {
    const points = historySeries(history, span, (point) => point.rate, 0);
    expect(points.map((point) => [point.at, point.value])).toEqual([
      [20, 0],
      [30, 0],
      [40, 0],
      [50, 4],
    ]);
  });

  it('has gaps where nothing was measured', () => {
    const points = historySeries(history, span, (point) => point.rate, null);
    expect(points.map((point) => point.value)).toEqual([null, null, null, 4]);
  });
});
