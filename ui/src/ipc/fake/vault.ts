/** The fake vault: create, unlock, lock, settings. */
import { CallError } from '../errors';
import type { RecoveryView } from '../generated/RecoveryView';
import type { SettingsView } from '../generated/SettingsView';
import type { StatusView } from '../generated/StatusView';
import type { UnlockRequest } from '../generated/UnlockRequest';
import { word } from './random';
import { proxyBase, remember, type World } from './world';

export function status(world: World): StatusView {
  const base = proxyBase(world);
  return {
    vault: world.vault,
    engine: 'running',
    proxy: {
      base,
      forward: null,
      added_p50_us: world.record.length > 0 ? 214 : null,
      added_p99_us: world.record.length > 0 ? 780 : null,
    },
    keychain: world.keychain,
    paused: world.paused,
    version: '0.1.0',
    warnings: world.warnings,
  };
}

export async function create(world: World, password: string, noKeychain: boolean): Promise<RecoveryView> {
  if (world.vault !== 'absent') throw new CallError('conflict', 'There is already a vault here.', 'Unlock it instead.');
  await derive();
  world.password = password;
  world.vault = 'unlocked';
  world.keychain = noKeychain || world.keychain === 'unavailable' ? 'not_used' : 'used';
  remember(world, { result: 'act', code: 'vault.create', reason: 'created' });
  world.changed('vault');
  return recovery(world);
}

export async function unlock(
  world: World,
  asked: Partial<UnlockRequest>,
): Promise<RecoveryView | { vault: 'unlocked' }> {
  await derive();
  if (world.keychain === 'locked') {
    throw new CallError(
      'unavailable',
      'The keychain is locked, and the vault needs the secret it holds.',
      'Unlock your desktop’s keychain, then try again.',
    );
  }
  if (asked.recovery_key) {
    if (plain(asked.recovery_key) !== plain(world.recovery)) {
      throw new CallError(
        'wrong_password',
        'This is not the recovery key of this vault.',
        'Look for typing errors; the key has 32 letters and digits.',
      );
    }
    if (!asked.new_password) throw new CallError('usage', 'A new password is missing.', '');
    world.password = asked.new_password;
  } else if (asked.password !== world.password) {
    throw new CallError(
      'wrong_password',
      'This is not the password of this vault.',
      'Try again, or open the vault with your recovery key.',
    );
  } else if (world.keychain === 'missing') {
    throw new CallError(
      'unavailable',
      'The keychain no longer holds this vault’s secret.',
      'Open the vault with your recovery key.',
    );
  }
  world.vault = 'unlocked';
  remember(world, { result: 'act', code: asked.recovery_key ? 'vault.recover' : 'vault.unlock', reason: null });
  world.changed('vault', 'activity');
  if (asked.recovery_key) return recovery(world);
  return { vault: 'unlocked' };
}

export function lock(world: World): { vault: 'locked' } {
  remember(world, { result: 'act', code: 'vault.lock', reason: 'locked in the window' });
  world.vault = 'locked';
  for (const flow of world.flows) flow.step = { state: 'cancelled' };
  world.flows = [];
  world.changed('vault');
  return { vault: 'locked' };
}

export async function changePassword(world: World, old: string, fresh: string): Promise<{ vault: 'unlocked' }> {
  await derive();
  mustMatch(world, old);
  world.password = fresh;
  return { vault: 'unlocked' };
}

export async function renewRecovery(world: World, password: string): Promise<RecoveryView> {
  await derive();
  mustMatch(world, password);
  return recovery(world);
}

export function setSettings(world: World, to: SettingsView): SettingsView {
  if (to.port < 1024 || to.port > 65535) {
    throw new CallError('usage', `${to.port} is not a port Claviger may use.`, 'Choose one from 1024 to 65535.');
  }
  world.settings = { ...to };
  world.changed('settings');
  return world.settings;
}

function mustMatch(world: World, password: string): void {
  if (password !== world.password) {
    throw new CallError(
      'wrong_password',
      'This is not the password in force.',
      'Type the password that opens the vault now.',
    );
  }
}

function recovery(world: World): RecoveryView {
  const groups = Array.from({ length: 8 }, () => word(world.random, 4).toUpperCase());
  world.recovery = groups.join('-');
  return { vault: world.vault, recovery_key: world.recovery, keychain: world.keychain };
}

function plain(key: string): string {
  return key.toUpperCase().replace(/[^0-9A-Z]/g, '');
}

/** As long as a real key derivation feels. */
function derive(): Promise<void> {
  return new Promise((done) => setTimeout(done, 350));
}
