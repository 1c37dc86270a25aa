// SPDX-License-Identifier: GPL-2.0
/*
 * Holds a CPU with interrupts off, so that it answers no IPI: a test can see that
 * something waits for that CPU.
 *
 *	echo 2 > /sys/module/hold_cpu/parameters/cpu	returns when CPU 2 is held
 *	echo -1 > /sys/module/hold_cpu/parameters/cpu	releases it
 *
 * After a minute a held CPU continues by itself, and the release fails with ETIMEDOUT.
 */
#include <linux/cpu.h>
#include <linux/module.h>
#include <linux/smp.h>
#include <linux/timekeeping.h>

#define LIMIT_NS	(60ULL * NSEC_PER_SEC)

/* Both under the mutex of this module's parameters */
static int cpu_held = -1;
static bool wanted;

static bool holding;

/*
 * The limit is of time, not of udelay()s: a vCPU that the host preempts while it calibrates
 * its delay loop has udelay()s that are far too short.
 */
static void hold(void *unused)
{
	u64 end = ktime_get_mono_fast_ns() + LIMIT_NS;

	WRITE_ONCE(holding, true);
	while (READ_ONCE(wanted) && ktime_get_mono_fast_ns() < end)
		cpu_relax();
	WRITE_ONCE(holding, false);
}

static int hold_begin(int cpu)
{
	int ret = -EINVAL;

	if (cpu_held >= 0)
		return -EBUSY;
	/* Do not hold the CPU that this thread runs on */
	migrate_disable();
	if (cpu != smp_processor_id()) {
		WRITE_ONCE(wanted, true);
		ret = smp_call_function_single(cpu, hold, NULL, 0);
	}
	migrate_enable();
	if (ret)
		return ret;
	while (!READ_ONCE(holding))
		cpu_relax();
	cpu_held = cpu;
	return 0;
}

static int hold_end(void)
{
	bool held = READ_ONCE(holding);

	if (cpu_held < 0)
		return -ENOENT;
	WRITE_ONCE(wanted, false);
	/* Waits for an IPI, which the CPU answers when hold() has returned */
	kick_all_cpus_sync();
	cpu_held = -1;
	return held ? 0 : -ETIMEDOUT;
}

static int cpu_set(const char *text, const struct kernel_param *kp)
{
	int cpu, ret;

	ret = kstrtoint(text, 0, &cpu);
	if (ret)
		return ret;
	return cpu < 0 ? hold_end() : hold_begin(cpu);
}

static int cpu_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%d\n", cpu_held);
}

static const struct kernel_param_ops cpu_ops = {
	.set = cpu_set,
	.get = cpu_get,
};

module_param_cb(cpu, &cpu_ops, NULL, 0600);
MODULE_PARM_DESC(cpu, "the CPU that is held, or -1");

static int __init hold_init(void)
{
	return 0;
}

static void __exit hold_exit(void)
{
	if (cpu_held >= 0)
		hold_end();
}

module_init(hold_init);
module_exit(hold_exit);

MODULE_DESCRIPTION("Holds a CPU that others wait for");
MODULE_LICENSE("GPL");
