import type { ReactNode } from 'react';
import { useService } from '../state/service';
import { Charts } from '../ui/charts';
import { Figures } from '../ui/figures';
import { HealthBanner } from '../ui/health';
import { LiveStream } from '../ui/live';
import { NextDue } from '../ui/next-due';
import { HeldBackPanel } from '../ui/held-back';
import { OpenDestinations } from '../ui/destinations';
import { TroubledSchedules } from '../ui/troubled-schedules';
import { RedisFacts, Servers } from '../ui/servers';

export function Overview(): ReactNode {
  const { stats, failure } = useService();
  return (
    <div className={failure ? 'overview stale' : 'overview'}>
      <HealthBanner />
      {stats && (
        <div className="readings">
          <Figures stats={stats} />
          <Charts stats={stats} />
          <div className="split">
            <NextDue />
            <LiveStream />
          </div>
          <TroubledSchedules schedules={stats.schedules} />
          <OpenDestinations />
          <HeldBackPanel held={stats.held_back} />
          <div className="split">
            <Servers servers={stats.servers ?? []} />
            <RedisFacts stats={stats} />
          </div>
        </div>
      )}
    </div>
  );
}
