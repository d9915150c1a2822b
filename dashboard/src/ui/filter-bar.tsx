import { useState } from 'react';
import type { FormEvent, ReactNode } from 'react';
import { go } from '../state/route';
import { messageHref, messagesHref } from '../lib/route';
import type { Filters } from '../lib/route';
import { toLocalInput } from '../lib/time';
import { CHANNELS, PRIORITIES, STATUSES } from '../lib/types';
import { Mark } from './marks';

const WIDE = window.matchMedia('(min-width: 720px)');
const MORE = ['channel', 'type', 'priority', 'schedule', 'since', 'until'] as const;

export function FilterBar({ filters }: { filters: Filters }): ReactNode {
  const change = (part: Filters): void => go(messagesHref({ ...filters, ...part }));
  // On a narrow screen they would fill it before the first message, so they are folded away unless in use.
  const [open] = useState(() => WIDE.matches || MORE.some((key) => filters[key]));
  return (
    <div className="filters">
      <nav className="tabs" aria-label="Status">
        <Tab filters={filters} status="" label="All" />
        {STATUSES.map((status) => (
          <Tab key={status} filters={filters} status={status} label={status} />
        ))}
      </nav>
      <FindById />
      <details className="filter-more" open={open}>
        <summary>More filters</summary>
        <div className="filter-fields">
          <Choice
            label="Channel"
            value={filters.channel ?? ''}
            options={CHANNELS}
            onChange={(channel) => change({ channel })}
          />
          <TextFilter label="Type" value={filters.type ?? ''} onChange={(type) => change({ type })} />
          <Choice
            label="Priority"
            value={filters.priority ?? ''}
            options={PRIORITIES}
            onChange={(priority) => change({ priority })}
          />
          <TextFilter label="Schedule" value={filters.schedule ?? ''} onChange={(schedule) => change({ schedule })} />
          <TimeField label="From" value={filters.since} onChange={(since) => change({ since })} />
          <TimeField label="To" value={filters.until} onChange={(until) => change({ until })} />
        </div>
      </details>
    </div>
  );
}

function Tab({ filters, status, label }: { filters: Filters; status: string; label: string }): ReactNode {
  return (
    <a
      href={messagesHref({ ...filters, status })}
      aria-current={(filters.status ?? '') === status ? 'true' : undefined}
    >
      {status && <Mark kind={status} />}
      {label}
    </a>
  );
}

function FindById(): ReactNode {
  const [id, setId] = useState('');
  const find = (event: FormEvent): void => {
    event.preventDefault();
    if (id.trim()) go(messageHref(id.trim()));
  };
  return (
    <form role="search" className="find" onSubmit={find}>
      <label className="visually-hidden" htmlFor="find-id">
        Find by id
      </label>
      <input
        id="find-id"
        type="search"
        placeholder="Find by id"
        autoComplete="off"
        spellCheck={false}
        value={id}
        onChange={(event) => setId(event.target.value)}
      />
      <button type="submit" className="button">
        Find
      </button>
    </form>
  );
}

interface ChoiceProps {
  label: string;
  value: string;
  options: readonly string[];
  onChange: (value: string) => void;
}

/** One of a few words, or any. */
export function Choice({ label, value, options, onChange }: ChoiceProps): ReactNode {
  return (
    <label className="filter">
      <span className="label">{label}</span>
      <select value={value} onChange={(event) => onChange(event.target.value)}>
        <option value="">any</option>
        {options.map((option) => (
          <option key={option}>{option}</option>
        ))}
      </select>
    </label>
  );
}

interface TextProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
}

function TextFilter({ label, value, onChange }: TextProps): ReactNode {
  const [text, setText] = useState(value);
  const leave = (): void => {
    if (text.trim() !== value) onChange(text.trim());
  };
  return (
    <form
      className="filter"
      onSubmit={(event) => {
        event.preventDefault();
        leave();
      }}
    >
      <label className="label" htmlFor={`filter-${label}`}>
        {label}
      </label>
      <input
        id={`filter-${label}`}
        placeholder="any"
        value={text}
        spellCheck={false}
        onChange={(event) => setText(event.target.value)}
        onBlur={leave}
      />
    </form>
  );
}

interface TimeProps {
  label: string;
  /** ISO 8601. */
  value: string | undefined;
  onChange: (value: string) => void;
}

function TimeField({ label, value, onChange }: TimeProps): ReactNode {
  const [text, setText] = useState(value && !Number.isNaN(Date.parse(value)) ? toLocalInput(Date.parse(value)) : '');
  const leave = (): void => {
    const iso = text && !Number.isNaN(Date.parse(text)) ? new Date(text).toISOString() : '';
    if (iso !== (value ?? '')) onChange(iso);
  };
  return (
    <form
      className="filter"
      onSubmit={(event) => {
        event.preventDefault();
        leave();
      }}
    >
      <label className="label" htmlFor={`filter-${label}`}>
        {label}
      </label>
      <input
        id={`filter-${label}`}
        type="datetime-local"
        step="1"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onBlur={leave}
      />
    </form>
  );
}
