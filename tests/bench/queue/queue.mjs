// One turn of the benchmark `queue`: node queue.mjs <ordak|graphile-worker|pg-boss> <address> <items>
//
// Makes the queue ready, enqueues so many items that do nothing, drains them, and prints
// {"enqueue_s": …, "drain_s": …}. The same driver, the same number of connections and the same number of items a call
// for everybody; what is left over at the end is an error.

import pg from 'pg'

const CALL = 1000 // items that one call enqueues
const CLAIM = 100 // items of a claim
const DRAINERS = 4

const [who, address, count] = process.argv.slice(2)
const items = Number(count)
const pool = new pg.Pool({ connectionString: address, max: DRAINERS + 1 })

const seconds = async (work) => {
  const begun = process.hrtime.bigint()
  await work()
  return Number(process.hrtime.bigint() - begun) / 1e9
}

const times = async (drainers, work) => {
  await Promise.all(Array.from({ length: drainers }, (_, n) => work(n)))
}

const calls = async (work) => {
  for (let from = 0; from < items; from += CALL) {
    await work(Array.from({ length: Math.min(CALL, items - from) }, (_, n) => from + n))
  }
}

const left = async (query) => {
  const { rows } = await pool.query(query)
  if (Number(rows[0].left) !== 0) throw new Error(`${rows[0].left} items are left`)
}

const ordak = {
  async prepare() {
    await pool.query("delete from public.work_queue where topic = 'email'")
  },
  async enqueue() {
    await calls((numbers) =>
      pool.query({
        name: 'enqueue',
        text: `select private.enqueue_works(
            'email', array_agg('bannos'::text), array_agg(jsonb_build_object('n', n)), array_agg('bench/' || n)
          ) from unnest($1::integer[]) n`,
        values: [numbers],
      }),
    )
  },
  async drain() {
    await times(DRAINERS, async (number) => {
      const worker = `bench-${number}`
      for (;;) {
        const claim = {
          name: 'claim',
          text: "select public.claim_work($1, array['email'], $2) as answer",
          values: [worker, CLAIM],
        }
        const { items } = (await pool.query(claim)).rows[0].answer.data
        if (items.length === 0) return
        const results = items.map(({ id, fence }) => ({ id, fence, outcome: 'done' }))
        await pool.query({
          name: 'report',
          text: 'select public.report_work($1, $2) as answer',
          values: [worker, JSON.stringify(results)],
        })
      }
    })
  },
  async check() {
    await left("select count(*) as left from public.work_queue where topic = 'email' and status <> 'done'")
  },
  async end() {},
}

// Its page on performance: jobs are added together, fetched into a local queue, and their ends written together.
const graphile = {
  async prepare() {
    const { Logger, makeWorkerUtils } = await import('graphile-worker')
    this.logger = new Logger(() => () => {})
    this.utils = await makeWorkerUtils({ pgPool: pool, logger: this.logger })
    await this.utils.migrate()
    await pool.query('delete from graphile_worker._private_jobs')
  },
  async enqueue() {
    await calls((numbers) => this.utils.addJobs(numbers.map((n) => ({ identifier: 'noop', payload: { n } }))))
  },
  async drain() {
    const { run } = await import('graphile-worker')
    let done = 0
    const finished = Promise.withResolvers ? Promise.withResolvers() : promise()
    const runner = await run({
      pgPool: pool,
      logger: this.logger,
      noHandleSignals: true,
      taskList: {
        noop: () => {
          if (++done === items) finished.resolve()
        },
      },
      preset: {
        worker: {
          concurrentJobs: 24,
          localQueue: { size: 5 * CLAIM },
          completeJobBatchDelay: 0,
          failJobBatchDelay: 0,
        },
      },
    })
    await finished.promise
    await runner.stop()
  },
  async check() {
    await left('select count(*) as left from graphile_worker._private_jobs')
  },
  async end() {
    await this.utils.release()
  },
}

// Its documentation: insert() for many jobs, fetch() and complete() with batches. Nothing else runs beside them.
const boss = {
  async prepare() {
    const { default: PgBoss } = await import('pg-boss')
    this.boss = new PgBoss({ connectionString: address, max: DRAINERS, supervise: false, schedule: false })
    this.boss.on('error', (error) => {
      throw error
    })
    await this.boss.start()
    await this.boss.createQueue('noop', { policy: 'standard' })
    await pool.query('delete from pgboss.job')
  },
  async enqueue() {
    await calls((numbers) => this.boss.insert(numbers.map((n) => ({ name: 'noop', data: { n } }))))
  },
  async drain() {
    await times(DRAINERS, async () => {
      for (;;) {
        const jobs = await this.boss.fetch('noop', { batchSize: CLAIM })
        if (jobs.length === 0) return
        await this.boss.complete('noop', jobs.map((job) => job.id))
      }
    })
  },
  async check() {
    await left("select count(*) as left from pgboss.job where name = 'noop' and state <> 'completed'")
  },
  async end() {
    await this.boss.stop({ graceful: false })
  },
}

const promise = () => {
  const own = {}
  own.promise = new Promise((resolve) => (own.resolve = resolve))
  return own
}

const queue = { ordak, 'graphile-worker': graphile, 'pg-boss': boss }[who]
await queue.prepare()
// Connections are open, modules loaded and tables as a quiet hour leaves them before the clock runs. (The address is the
// superuser's, for these two.)
await times(DRAINERS, () => pool.query('select 1'))
await pool.query('vacuum analyze')
await pool.query('checkpoint')
const enqueue_s = await seconds(() => queue.enqueue())
await pool.query('analyze')
const drain_s = await seconds(() => queue.drain())
await queue.check()
await queue.end()
await pool.end()
console.log(JSON.stringify({ enqueue_s, drain_s }))
process.exit(0)
