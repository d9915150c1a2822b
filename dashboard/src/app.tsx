import { useEffect, useRef } from 'react';
import type { ReactNode } from 'react';
import { DialogsProvider } from './state/dialogs';
import { go, useRoute } from './state/route';
import { ServiceProvider, useService } from './state/service';
import type { Route } from './lib/route';
import { Header } from './ui/header';
import { TokenPrompt } from './ui/token-prompt';
import { FlowsView, FlowView } from './views/flows';
import { MessageView } from './views/message';
import { MessagesView } from './views/messages';
import { OverTimeView } from './views/over-time';
import { Overview } from './views/overview';
import { NewMessageView } from './views/new-message';
import { NewScheduleView } from './views/new-schedule';
import { ScheduleView } from './views/schedule';
import { SchedulesView } from './views/schedules';

export function App(): ReactNode {
  return (
    <ServiceProvider>
      <DialogsProvider>
        <Shell />
      </DialogsProvider>
    </ServiceProvider>
  );
}

const TITLES: Record<Route['view'], string> = {
  overview: 'Overview',
  messages: 'Messages',
  message: 'Message',
  'new-message': 'Schedule a message',
  schedules: 'Schedules',
  schedule: 'Schedule',
  'new-schedule': 'Make a schedule',
  flows: 'Flow control',
  flow: 'Flow key',
  'over-time': 'Over time',
  unknown: 'No such page',
};

function Shell(): ReactNode {
  const route = useRoute();
  const main = useRef<HTMLElement>(null);
  const view = 'id' in route ? `${route.view} ${route.id}` : route.view;
  const first = useRef(true);
  useShortcuts();
  useEffect(() => {
    // A new page: its top, and the focus where a screen reader goes on reading.
    if (!first.current) {
      window.scrollTo(0, 0);
      main.current?.focus({ preventScroll: true });
    }
    first.current = false;
  }, [view]);
  useTitle(TITLES[route.view]);
  return (
    <>
      <a
        className="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          main.current?.focus();
        }}
      >
        Skip to the content
      </a>
      <Header view={route.view} />
      <Announcer />
      <main id="main" ref={main} tabIndex={-1}>
        <Page route={route} />
      </main>
      <TokenPrompt />
    </>
  );
}

function Page({ route }: { route: Route }): ReactNode {
  switch (route.view) {
    case 'overview':
      return <Overview />;
    case 'messages':
      return <MessagesView filters={route.filters} />;
    case 'message':
      return <MessageView key={route.id} id={route.id} />;
    case 'new-message':
      return <NewMessageView />;
    case 'schedules':
      return <SchedulesView filters={route.filters} />;
    case 'schedule':
      return <ScheduleView key={route.id} id={route.id} />;
    case 'flows':
      return <FlowsView />;
    case 'flow':
      return <FlowView key={route.id} name={route.id} />;
    case 'over-time':
      return <OverTimeView filters={route.filters} />;
    case 'new-schedule':
      return <NewScheduleView />;
    case 'unknown':
      return (
        <section className="page">
          <h1>No such page</h1>
          <p>
            <a href="#/">Back to the overview</a>
          </p>
        </section>
      );
  }
}

/** Says a change of health to screen readers, once; the sentence on the page changes with every figure in it. */
function Announcer(): ReactNode {
  const { health } = useService();
  const said = useRef({ code: '', text: '' });
  if (said.current.code !== health.code)
    said.current = { code: health.code, text: `${health.headline} ${health.remedy}` };
  return (
    <p className="visually-hidden" role="status">
      {said.current.text}
    </p>
  );
}

/** The tab's title tells the health too: it is what is seen of a page in the background. */
function useTitle(title: string): void {
  const { health } = useService();
  const sign = health.level === 'bad' ? '✕ ' : health.level === 'warn' ? '! ' : '';
  useEffect(() => {
    document.title = `${sign}${title} · Message Scheduling Service`;
  }, [sign, title]);
}

/** `/` goes to the search, `n` to the form; not while something is being typed. */
function useShortcuts(): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || target.closest('input, textarea, select, dialog')) return;
      if (event.key === '/') {
        event.preventDefault();
        go('#/messages');
        requestAnimationFrame(() => document.querySelector<HTMLInputElement>('#find-id')?.focus());
      }
      if (event.key === 'n') go('#/schedule');
    };
    window.addEventListener('keydown', pressed);
    return () => window.removeEventListener('keydown', pressed);
  }, []);
}
