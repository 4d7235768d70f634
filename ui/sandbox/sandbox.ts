// The real sandbox, as `copresence sandbox` starts it, with the APIs of vendor and tester.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The URL and the credentials of a running sandbox: the first line of its output. */
interface SandboxUrlAndCredentials {
  url: string;
  api_key: string;
  session_token: string;
}

/** A downloadable file of a token. */
export interface DownloadableFile {
  export_type: string;
  download_URL: string;
}

/** A sandbox that runs as a process of its own. */
export class SandboxProcess {
  private constructor(
    private readonly child: ChildProcess,
    private readonly address: SandboxUrlAndCredentials,
  ) {}

  /** Starts a sandbox on a free port. `COPRESENCE_CLI` names the program when it is not in `target/debug`. */
  static async start(...args: string[]): Promise<SandboxProcess> {
    const built = fileURLToPath(new URL('../../target/debug/copresence', import.meta.url));
    const program = process.env.COPRESENCE_CLI ?? built;
    if (!existsSync(program)) throw new Error(`${program} is not there: cargo build --bin copresence`);
    const child = spawn(program, ['sandbox', '--listen', '127.0.0.1:0', '--json', ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: child.stdout });
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`${program} ended with ${code} before it listened`);
    });
    // After the first line its exit is expected.
    ended.catch(() => {});
    const [first] = (await Promise.race([once(lines, 'line'), ended])) as [string];
    return new SandboxProcess(child, JSON.parse(first) as SandboxUrlAndCredentials);
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    await gone;
  }

  get url(): string {
    return this.address.url;
  }

  /** A new Export Token. */
  async generate(): Promise<string> {
    const { token } = await this.callVendorApi<{ token: string }>('POST', '/generateExportToken', {
      'X-Copresence-Session-Token': this.address.session_token,
    });
    return token;
  }

  /** Redeems a token whose avatar is ready. */
  async redeem(token: string): Promise<DownloadableFile[]> {
    const answer = await this.callVendorApi<{ payload_complete?: DownloadableFile[] }>(
      'GET',
      '/redeemExportToken',
      {
        'X-Copresence-Export-Token': token,
      },
    );
    if (!answer.payload_complete) throw new Error(`not ready: ${JSON.stringify(answer)}`);
    return answer.payload_complete;
  }

  /** Simulates the phone. */
  async associate(token: string, avatar: string): Promise<void> {
    await this.callControlApi(`tokens/${token}/associate`, { avatar });
  }

  /** Forces a token into a state. */
  async forceState(token: string, what: 'expire' | 'fail' | 'complete'): Promise<void> {
    await this.callControlApi(`tokens/${token}/${what}`, {});
  }

  /** Stops or advances the sandbox's time. */
  async setClock(change: { paused: boolean } | { advance_ms: number }): Promise<void> {
    await this.callControlApi('clock', change);
  }

  /** Advances the time until a token is in a state. */
  async advanceUntil(token: string, state: string): Promise<void> {
    for (let steps = 0; steps < 200; steps += 1) {
      const answer = await fetch(`${this.url}/phone/status?exportToken=${token}`);
      if (((await answer.json()) as { state: string }).state === state) return;
      await this.setClock({ advance_ms: 1_000 });
    }
    throw new Error(`the token never was ${state}`);
  }

  /** The GLB of a new avatar (with its own seed) or of an existing one. */
  avatarGlb(avatar = 'new'): Promise<Buffer> {
    return this.downloadExport(avatar, 'glb');
  }

  /** The portrait of a new avatar. */
  avatarPortrait(): Promise<Buffer> {
    return this.downloadExport('new', 'png');
  }

  private async downloadExport(avatar: string, type: string): Promise<Buffer> {
    const token = await this.generate();
    await this.associate(token, avatar);
    await this.forceState(token, 'complete');
    const file = (await this.redeem(token)).find(({ export_type }) => export_type === type);
    if (!file) throw new Error(`there is no ${type} among the files`);
    return Buffer.from(await (await fetch(file.download_URL)).arrayBuffer());
  }

  private async callControlApi(path: string, body: unknown): Promise<void> {
    const answer = await fetch(`${this.url}/sandbox/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  }

  private async callVendorApi<T>(method: string, path: string, headers: Record<string, string>): Promise<T> {
    const answer = await fetch(this.url + path, {
      method,
      headers: { 'X-Copresence-REST-API-Key': this.address.api_key, ...headers },
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }
}
