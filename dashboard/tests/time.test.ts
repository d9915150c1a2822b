import { describe, expect, it } from 'vitest';
import {
  clockOffset,
  countdownInterval,
  formatCountdown,
  formatLocal,
  formatMoment,
  formatNear,
  formatSpan,
  parseMoment,
} from '../src/lib/time';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe('a countdown', () => {
  it.each([
    [DAY + 3 * HOUR, 'in 1 d 3 h'],
    [2 * HOUR + 5 * MINUTE, 'in 2 h 05 min'],
    [4 * MINUTE + 12 * SECOND, 'in 4 min 12 s'],
    [12 * SECOND, 'in 12 s'],
    [9_940, 'in 10.0 s'],
    [9_900, 'in 9.9 s'],
    [1, 'in 0.1 s'],
    [0, 'now'],
    [-999, 'now'],
    [-3 * SECOND, '3 s ago'],
  ])('%i ms before the moment reads %s', (left, text) => {
    expect(formatCountdown(left)).toBe(text);
  });

  it('rounds up, so that it never says less time than there is', () => {
    expect(formatCountdown(59_001)).toBe('in 1 min');
    expect(formatCountdown(10_001)).toBe('in 11 s');
  });

  it('is drawn ten times a second only while tenths are shown', () => {
    expect(countdownInterval(HOUR)).toBe(1_000);
    expect(countdownInterval(9_000)).toBe(100);
    expect(countdownInterval(-5_000)).toBe(1_000);
  });
});

describe('a span', () => {
  it.each([
    [0, '0 ms'],
    [0.84, '0.8 ms'],
    [340.4, '340 ms'],
    [4_200, '4.2 s'],
    [42_900, '42 s'],
    [3 * MINUTE + 5 * SECOND, '3 min 05 s'],
    [HOUR, '1 h'],
    [400 * DAY, '400 d'],
  ])('of %d ms reads %s', (ms, text) => {
    expect(formatSpan(ms)).toBe(text);
  });
});

describe('a moment', () => {
  it('is read from ISO 8601, milliseconds and seconds', () => {
    const moment = Date.UTC(2027, 0, 1, 8);
    expect(parseMoment('2027-01-01T08:00:00.000Z')).toBe(moment);
    expect(parseMoment(moment)).toBe(moment);
    expect(parseMoment(moment / 1000)).toBe(moment);
    expect(parseMoment(String(moment))).toBe(moment);
  });

  it.each([null, undefined, '', 'soon'])('is null for %s', (value) => {
    expect(parseMoment(value)).toBeNull();
  });

  it('is written in a time zone, with milliseconds only where there are some', () => {
    const moment = Date.UTC(2027, 0, 1, 8);
    expect(formatMoment(moment, 'Europe/Berlin')).toBe('Fri, 1 Jan 2027, 09:00:00');
    expect(formatMoment(moment + 250, 'UTC')).toBe('Fri, 1 Jan 2027, 08:00:00.250');
  });

  it('needs no date where it is of today', () => {
    const morning = new Date(2027, 0, 1, 9, 5).getTime();
    expect(formatNear(morning, new Date(2027, 0, 1, 23, 59).getTime())).toBe('today, 09:05:00');
    expect(formatNear(morning + 70, new Date(2027, 0, 1).getTime())).toBe('today, 09:05:00.070');
    expect(formatNear(morning, new Date(2027, 0, 2).getTime())).toBe('Fri, 1 Jan 2027, 09:05:00');
  });
});

it('takes the service’s clock for the truth, half a round trip after it was read', () => {
  expect(clockOffset(3_600_050, 0, 100)).toBe(3_600_000);
});

it('writes a local moment of any zone as the service says it', () => {
  expect(formatLocal('2027-03-28T03:00:00+02:00')).toEqual({ text: 'Sun, 28 Mar 2027, 03:00:00', offset: '+02:00' });
  expect(formatLocal('2027-03-28T03:00:00.250Z')).toEqual({ text: 'Sun, 28 Mar 2027, 03:00:00.250', offset: '+00:00' });
  expect(formatLocal('soon')).toEqual({ text: 'soon', offset: '' });
});
