/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Non-coherent DMA that comes and goes under a running VM: the protocol between
 * iommufd (drivers/iommu/iommufd/coherency.c), KVM's per-VM state and its vCPUs
 * (arch/x86/kvm/noncoherent_dma.c).
 *
 * Two sources (iommufd contexts), two vCPUs, two CPUs. Every process runs for
 * ever or stops wherever user space may stop it; the search covers all
 * interleavings. Variants, one exhaustive search each:
 *
 *   (none)		guest PAT is honoured always: SVM, or VMX without the quirk
 *   IGNORES_PAT	guest PAT is ignored while permission is off: VMX
 *   POLICY		the VMM changes the policy at any time
 *   WATCH		the VMM adds and deletes source 1 at any time (FD_ADD, FD_DEL)
 *   SECOND		two devices attach to source 0, concurrently
 *   PROGRESS		POLICY, and user space comes to an end: does it, under weak
 *			fairness, while the guest executes WBINVD for ever?
 *
 * What is one step here: a critical section up to and including its one access
 * that is visible without its lock. Taking a lock commutes to the right, giving
 * it up to the left, and what the lock protects with both, so the interleavings
 * left out reach no other states. An atomic sequence that blocks lets the others
 * run. Steps are split where a mutation needs the finer grain.
 *
 * Memory is one cache line, dirty in at most one CPU's cache. That is exact:
 * lines do not influence each other, every property is about each line alone,
 * and the vCPUs choose freely when to write this one.
 *
 * The model is sequentially consistent. The kernel gets this from the mutexes,
 * from the RCU grace period (who starts after it sees what was written before
 * it), from mmu_lock, and from the full barriers of scheduling and guest entry
 * between recording a CPU and running there.
 *
 * Properties are numbered; ONLY=n checks the n-th alone. MUTATE_x breaks the
 * protocol in one place; the comment at each says how, and which property has
 * to notice: scripts/test.d/05-model.sh reads "MUTATE_x: PROPERTY VARIANT".
 */

#define NO_GAP		1	/* DMA possible: permission is on, edge work done */
#define NO_LEFTOVER	2	/* no source: no permission, no flush for the guest */
#define EDGES_ONLY	3	/* zap and flush once per edge, not per source */
#define ALL_OR_NOTHING	4	/* a refusal leaves nothing behind */
#define FLUSH_COMPLETE	5	/* permitted WBINVD leaves no line of its vCPU */
#define NO_STALE	6	/* DMA never meets lines written with PAT ignored */
#define CPUS_OF_VM	7	/* no flush of a CPU on which no vCPU ran */
#define POLICY_HOLDS	8	/* NO_WBINVD, FORBID: from the ioctl's return on */
#define NO_DEADLOCK	9	/* spin's invalid end states */
#define NO_DELAY	10	/* the guest cannot keep an edge from its end */

#ifndef ONLY
#define ONLY	0
#endif
#define CHECKED(p)	(ONLY == 0 || ONLY == p)
#define require(p, cond)	assert(!CHECKED(p) || (cond))

/*
 * A search that finds no error proves nothing about where it never came. Each
 * variant must reach these; they are noted outside of the state, so that noting
 * adds no states. The test reads the variants from the comments.
 */
#define cover(what)	c_code { covered |= 1u << what; }

#define DMA_ON			0	/* all */
#define DMA_OF_BOTH		1	/* all */
#define SECOND_BEGIN		2	/* all: while the other source is on */
#define SECOND_END		3	/* all: while the other source stays on */
#define END_WAITED		4	/* all: for a WBINVD that was under way */
#define FLUSHED_OTHER_CPU	5	/* all: WBINVD, line on another CPU */
#define FLUSHED_WITH_DMA	6	/* all: WBINVD */
#define IGNORED			7	/* all: WBINVD */
#define CPU_SPARED		8	/* all: no vCPU ever ran there */
#define ATTACH_FAILED		9	/* all: in hardware, after begin */
#define ATTACH_REFUSED		10	/* all: by another VM */
#define EDGE_WITH_VCPU_STUCK	11	/* all: holding kvm->srcu */
#define EDGE_FLUSHED_STALE	12	/* IGNORES_PAT */
#define EDGE_FLUSHED_BOTH	13	/* IGNORES_PAT */
#define REFUSED_BY_POLICY	14	/* POLICY */
#define FORBID_BUSY		15	/* POLICY */
#define IGNORED_WITH_DMA	16	/* POLICY: NO_WBINVD */
#define POLICY_WAITED		17	/* POLICY: for a WBINVD under way */
#define DEBT_PAID		18	/* POLICY+IGNORES_PAT */
#define ADD_BEGAN		19	/* WATCH: source was non-coherent already */
#define DEL_ENDED		20	/* WATCH: source was non-coherent still */
#define DMA_UNWATCHED		21	/* WATCH */
#define SECOND_DEVICE		22	/* SECOND */

c_decl {
	extern unsigned int covered;
};
c_code {
	unsigned int covered;

	static void report_coverage(void)
	{
		int i;

		for (i = 0; i < 32; i++)
			if (covered & 1u << i)
				printf("covered: %d\n", i);
	}
};

#define BIT(n)		(1 << (n))
#define BOTH		3

#define lock(m)		!m -> m = true
#define unlock(m)	m = false

/* ---- the VM, in KVM ---- */

#define FOLLOW		0
#define FORBID		1
#define NO_WBINVD	2

bool vm_lock;
byte reserved;		/* sources that may begin, begun ones included */
byte begun;		/* sources that have begun */
bool revoked;		/* permission has gone, and the off-edge is not done */
bool permission;	/* read without the lock */
byte policy;		/* read without the lock */
byte mask[2];		/* per vCPU: the CPUs that may hold lines of it */

byte in_section;	/* vCPUs in WBINVD emulation, preemption off */
byte grace;		/* those of them that a grace period waits for */
byte srcu_held;		/* vCPUs that hold kvm->srcu for ever */

/* ---- the MMU: one page, of which the guest's PAT says UC ---- */

#define NONE		0
#define IGNORE		1	/* PAT ignored: the page is WB all the same */
#define HONOUR		2

byte spte;

/* ---- the line ---- */

byte line_cpu;		/* 0: clean; else dirty in the cache of CPU line_cpu - 1 */
bit line_vcpu;		/* who wrote it */
bool line_stale;	/* written through IGNORE: the guest thinks it is in memory */

/* ---- iommufd and the hardware, per source ---- */

bool ctx_lock[2];
byte attached[2];	/* the context's count of non-coherent attachments */
bool watched[2];
byte hw[2];		/* hardware attachments; while not 0 DMA is possible */

/* ---- what the properties are about; the protocol never reads these ---- */

byte ran;		/* CPUs on which a vCPU ever ran */
bool edge_work;		/* the on-edge is visible, its zap and flush not done */
byte edge;		/* what has been done at this edge: */
#define NO_EDGE		0
#define AT_EDGE		1
#define ZAPPED		2
#define FLUSHED		3
byte granted;		/* sources, from the call of begin to the return of end */
byte on;		/* sources, from the return of begin to the call of end */
byte told;		/* sources, from the return of FD_ADD to the call of FD_DEL */
byte busy[2];		/* calls that attach, or add, until undone or refused */
byte must;		/* vCPUs whose WBINVD has to be carried out */
bool says_follow;	/* policies, from the return of the ioctl to the next */
bool says_no_wbinvd;
byte stopped;		/* threads of user space that came to their end */

#define DMA	(((hw[0] > 0) | ((hw[1] > 0) << 1)) & told)

/*
 * WBINVD on some CPUs. One step for all of them: only the flush of the CPU that
 * has the line does anything.
 */
inline flush(cpus)
{
	require(CPUS_OF_VM, !((cpus) & ~ran));
	if
	:: ran != BOTH -> cover(CPU_SPARED)
	:: else
	fi;
	if
	:: line_cpu && ((cpus) & BIT(line_cpu - 1)) ->
		line_cpu = 0;
		line_vcpu = 0;
		line_stale = false
	:: else
	fi
}

/*
 * kvm_zap_gfn_range(): when mmu_lock is given up no CPU can use an old entry any
 * more, so to all others the zap is one step.
 */
inline zap()
{
#ifdef IGNORES_PAT
	atomic {
		require(EDGES_ONLY, edge == AT_EDGE);
		edge = ZAPPED;
		spte = NONE
	}
#else
	skip
#endif
}

/* The masks change while this reads them, bit by bit. */
inline collect_masks()
{
	cpus = mask[0] & BIT(0);
	cpus = cpus | (mask[1] & BIT(0));
	cpus = cpus | (mask[0] & BIT(1));
	cpus = cpus | (mask[1] & BIT(1))
}

inline flush_collected()
{
	atomic {
#ifdef MUTATE_FLUSH_ALL		/* MUTATE_FLUSH_ALL: CPUS_OF_VM IGNORES_PAT
				 * every CPU of the host */
		cpus = BOTH;
#endif
		if
		:: cpus == BOTH -> cover(EDGE_FLUSHED_BOTH)
		:: else
		fi;
		if
		:: line_stale && (cpus & BIT(line_cpu - 1)) ->
			cover(EDGE_FLUSHED_STALE)
		:: else
		fi;
		flush(cpus);
		cpus = 0
	}
}

inline flush_at_edge()
{
	require(EDGES_ONLY, edge == ZAPPED);
	edge = FLUSHED;
	flush_collected()
}

/*
 * The emulations of WBINVD that are under way, and only those, are waited for:
 * they run with preemption off, so they are RCU readers.
 */
inline start_grace_period()
{
	grace = in_section;
	if
	:: grace && !permission -> cover(END_WAITED)
	:: grace && permission -> cover(POLICY_WAITED)
	:: else
	fi
}

inline wait_for_wbinvd()
{
#ifndef MUTATE_NO_WAIT		/* MUTATE_NO_WAIT: NO_LEFTOVER
				 * the off-edge does not wait */
#ifdef MUTATE_WAIT_FOR_ALL	/* MUTATE_WAIT_FOR_ALL: NO_DELAY PROGRESS
				 * for those who come later, too */
	in_section == 0;
#else
	grace == 0;
#endif
#endif
#ifdef MUTATE_SRCU_WAIT		/* MUTATE_SRCU_WAIT: NO_DEADLOCK
				 * waits for kvm->srcu readers, too */
	srcu_held == 0;
#endif
	skip
}

inline set_permission(value)
{
	if
	:: permission != value -> edge = AT_EDGE
	:: else
	fi;
	permission = value
}

/* ---- what KVM answers to a source: reserve, begin, end ---- */

inline kvm_reserve()
{
	lock(vm_lock);
	if
	:: policy == FORBID ->
		refused = true;
#ifdef MUTATE_REFUSAL_RESERVES	/* MUTATE_REFUSAL_RESERVES: ALL_OR_NOTHING POLICY
				 * the reservation stays */
		reserved++;
#endif
		cover(REFUSED_BY_POLICY)
	:: else ->
		reserved++
	fi;
	unlock(vm_lock)
}

#ifdef MUTATE_UNORDERED		/* MUTATE_UNORDERED: NO_GAP IGNORES_PAT
				 * an atomic counter makes no one wait for
				 * another's edge, as upstream */
#define edge_lock()	skip
#define edge_unlock()	skip
#else
#define edge_lock()	lock(vm_lock)
#define edge_unlock()	unlock(vm_lock)
#endif

/*
 * The second half of the off-edge, with the VM's lock held. Blocks where it waits for
 * WBINVDs, so that others run meanwhile, but nobody who needs that lock.
 */
inline off_edge_done()
{
	if
	:: revoked ->
		wait_for_wbinvd();
		zap();
		revoked = false;
		edge = NO_EDGE
	:: else
	fi
}

inline kvm_begin(s)
{
	atomic {
		edge_lock();
#ifndef MUTATE_REVOKED_LEFT	/* MUTATE_REVOKED_LEFT: EDGES_ONLY IGNORES_PAT
				 * does not finish the off-edge first */
		off_edge_done();
#endif
		begun++;
		at_edge = begun == 1;
		if
		:: at_edge ->
			edge_work = true;
#ifndef MUTATE_ZAP_FIRST
			set_permission(true)
#endif
		:: else -> cover(SECOND_BEGIN)
		fi
	};
	if
	:: at_edge ->
#ifdef MUTATE_ZAP_FIRST		/* MUTATE_ZAP_FIRST: NO_STALE IGNORES_PAT
				 * the zap, then permission becomes visible */
		edge = AT_EDGE;
		zap();
		permission = true;
#endif
#ifdef IGNORES_PAT
#ifdef MUTATE_FLUSH_FIRST	/* MUTATE_FLUSH_FIRST: NO_STALE IGNORES_PAT
				 * the flush, then the zap */
		collect_masks();
		flush_collected();
#endif
#ifdef MUTATE_MASKS_FIRST	/* MUTATE_MASKS_FIRST: NO_STALE IGNORES_PAT
				 * the masks are read before the zap is done */
		collect_masks();
#endif
#ifndef MUTATE_ZAP_FIRST
		zap();
#endif
#ifndef MUTATE_MASKS_FIRST
		collect_masks();
#endif
		atomic {
			if
			:: policy == NO_WBINVD ->
				cpus = 0
			:: else ->
#if defined(MUTATE_NO_EDGE_FLUSH) || defined(MUTATE_FLUSH_FIRST)
				/* MUTATE_NO_EDGE_FLUSH: NO_STALE IGNORES_PAT
				 * no flush at the edge, as upstream */
				cpus = 0
#else
				flush_at_edge()
#endif
			fi
		}
#endif
	:: else
	fi;
	atomic {
		if
		:: at_edge -> edge_work = false
		:: else
#ifdef MUTATE_EVERY_BEGIN	/* MUTATE_EVERY_BEGIN: EDGES_ONLY IGNORES_PAT
				 * the work is done per source */
			-> zap()
#endif
		fi;
		at_edge = false;
		edge = NO_EDGE;
		on = on | BIT(s);
		edge_unlock()
	}
}

/*
 * In two halves, with the lock given up in between: iommufd revokes in all VMs, and
 * then ends in all.
 */
inline kvm_end_visible(s)
{
	atomic {
		on = on & ~BIT(s);
		if
		:: on == 0 -> must = 0
		:: else
		fi;
		edge_lock();
		begun--;
		if
		:: begun == 0 ->
			set_permission(false);
			start_grace_period();
			revoked = true;
			if
			:: srcu_held -> cover(EDGE_WITH_VCPU_STUCK)
			:: else
			fi
		:: else -> cover(SECOND_END)
		fi;
		edge_unlock()
	}
}

inline kvm_end_done(s)
{
	atomic {
		lock(vm_lock);
		off_edge_done();
		unlock(vm_lock);
		kvm_unreserve(s)
	}
}

inline kvm_unreserve(s)
{
	lock(vm_lock);
	reserved--;
	granted = granted & ~BIT(s);
	unlock(vm_lock)
}

/* ---- iommufd ---- */

/*
 * Another VM that watches the same context may refuse after this one has agreed;
 * then nobody begins.
 */
inline ask(s)
{
	atomic {
		kvm_reserve();
		if
		:: !refused ->
			if
			:: granted = granted | BIT(s)
			:: refused = true;
				cover(ATTACH_REFUSED);
#ifdef MUTATE_END_UNCOUNTS	/* MUTATE_END_UNCOUNTS: NO_GAP
				 * takes back a begin that never was */
				if
				:: begun -> kvm_end_visible(s)
				:: else
				fi;
				kvm_end_done(s)
#else
				kvm_unreserve(s)
#endif
			fi
		:: else
		fi
	}
}

/* With the context's lock held. */
inline ask_and_begin(s)
{
#ifdef MUTATE_BEGIN_UNASKED	/* MUTATE_BEGIN_UNASKED: POLICY_HOLDS POLICY
				 * begins, then asks and takes it back */
	granted = granted | BIT(s);
	reserved++;
	kvm_begin(s);
	if
	:: policy == FORBID ->
		refused = true;
		kvm_end_visible(s);
		kvm_end_done(s)
	:: else
	fi
#else
	ask(s);
	if
	:: !refused -> kvm_begin(s)
	:: else
	fi
#endif
}

inline count_attachment(s)
{
	atomic {
		busy[s]++;
		lock(ctx_lock[s]);
		refused = false;
		if
		:: attached[s] > 0 || !watched[s] ->
			attached[s]++;
			unlock(ctx_lock[s])
		:: else -> first = true
		fi
	};
	if
	:: first ->
#ifdef MUTATE_CTX_UNLOCKED	/* MUTATE_CTX_UNLOCKED: NO_GAP SECOND
				 * the context's lock does not cover begin */
		attached[s]++;
		unlock(ctx_lock[s]);
		ask_and_begin(s);
		lock(ctx_lock[s]);
		attached[s]--;
#else
		ask_and_begin(s);
#endif
		atomic {
			first = false;
			if
			:: !refused -> attached[s]++
			:: else
#ifdef MUTATE_REFUSAL_COUNTS	/* MUTATE_REFUSAL_COUNTS: NO_GAP
				 * the context counts who was refused */
				-> attached[s]++
#endif
			fi;
			unlock(ctx_lock[s])
		}
	:: else
	fi
}

inline uncount_attachment(s)
{
	atomic {
		lock(ctx_lock[s]);
		attached[s]--;
#ifdef MUTATE_END_ON_ANY	/* MUTATE_END_ON_ANY: NO_GAP SECOND
				 * the first detach ends, not the last */
		last = watched[s];
#else
		last = watched[s] && attached[s] == 0;
#endif
		if
		:: last -> kvm_end_visible(s)
		:: else
		fi
	};
	atomic {
		if
		:: last ->
			last = false;
			kvm_end_done(s)
		:: else
		fi;
		busy[s]--;
		unlock(ctx_lock[s])
	}
}

inline hw_attach(s)
{
	atomic {
		hw[s]++;
		cover(DMA_ON);
		if
		:: hw[0] && hw[1] -> cover(DMA_OF_BOTH)
		:: else
		fi;
		if
		:: hw[s] > 1 -> cover(SECOND_DEVICE)
		:: else
		fi;
		if
		:: !(told & BIT(s)) -> cover(DMA_UNWATCHED)
		:: else
		fi
	}
}

/*
 * Where progress is looked for, user space comes to an end: each of its threads
 * makes one call and undoes it. What could keep one from its end is a guest.
 */
#ifdef PROGRESS
#define MAY_CALL	&& !called -> called = true
#define STOPPED		stopped++
#else
#define MAY_CALL
#define STOPPED
#endif

/*
 * User space with a device: attaches and detaches for as long as it likes, or
 * dies between any two calls. (A close detaches; so it may just as well stop.)
 */
proctype device(bit s)
{
	bool called, has, first, last, refused, at_edge;
	byte cpus;

	do
	:: !has MAY_CALL ->
#ifdef MUTATE_BEGIN_LATE	/* MUTATE_BEGIN_LATE: NO_GAP
				 * the hook stands behind the hardware's attach */
		hw_attach(s);
		count_attachment(s);
		atomic {
			has = !refused;
			if
			:: refused ->
				refused = false;
				hw[s]--;
				busy[s]--
			:: else
			fi
		}
#else
		count_attachment(s);
		if
		:: atomic {
			!refused ->
			hw_attach(s);
			has = true
		   }
		:: atomic {
			!refused ->
			cover(ATTACH_FAILED)
		   };
		   uncount_attachment(s)
		:: atomic {
			refused ->
			refused = false;
			busy[s]--
		   }
		fi
#endif
	:: has ->
#ifdef MUTATE_END_EARLY		/* MUTATE_END_EARLY: NO_GAP
				 * the hook stands before the hardware's detach */
		uncount_attachment(s);
		atomic {
			hw[s]--;
			has = false
		}
#else
		atomic {
			hw[s]--;
			has = false
		};
		uncount_attachment(s)
#endif
	:: !has -> break
	od;
	STOPPED
}

/*
 * User space tells KVM about source 1, and takes it back. Source 0 is known to
 * KVM from the start. A source counts as one from the return of FD_ADD on.
 */
proctype watcher()
{
	bool last, refused, at_edge;
	byte cpus;
#ifdef MUTATE_SNAPSHOT_EARLY
	bool was;
#endif

	do
	:: atomic {
		!watched[1] ->
		busy[1]++;
#ifdef MUTATE_LOCK_ORDER	/* MUTATE_LOCK_ORDER: NO_DEADLOCK WATCH
				 * the VM's lock outside of the context's */
		lock(vm_lock);
		lock(ctx_lock[1]);
		unlock(vm_lock);
#elif defined(MUTATE_SNAPSHOT_EARLY)
	   };
	   was = attached[1] > 0;	/* MUTATE_SNAPSHOT_EARLY: NO_GAP WATCH
					 * read before the lock is taken */
	   atomic {
#endif
		lock(ctx_lock[1]);
		refused = false
	   };
	   if
#ifdef MUTATE_SNAPSHOT_EARLY
	   :: was ->
#else
	   :: attached[1] ->
#endif
		ask_and_begin(1);
		cover(ADD_BEGAN)
	   :: else
	   fi;
	   atomic {
		if
		:: !refused ->
			watched[1] = true;
			told = told | BIT(1)
		:: else ->
			refused = false;
			busy[1]--
		fi;
		unlock(ctx_lock[1])
	   }
	:: atomic {
		watched[1] ->
		told = told & ~BIT(1);
		lock(ctx_lock[1]);
		watched[1] = false;
		if
		:: attached[1] ->
			cover(DEL_ENDED);
			last = true;
			kvm_end_visible(1)
		:: else
		fi
	   };
	   atomic {
		if
		:: last ->
			last = false;
			kvm_end_done(1)
		:: else
		fi;
		busy[1]--;
		unlock(ctx_lock[1])
	   }
	:: !watched[1] -> break
	od
}

/* User space sets KVM_CAP_NONCOHERENT_DMA */
proctype vmm()
{
	bool owed, called;
	byte cpus;

	do
	:: atomic {
		!says_no_wbinvd MAY_CALL ->
		says_follow = false;
		must = 0;
		lock(vm_lock);
		off_edge_done();
		policy = NO_WBINVD;
		start_grace_period()
	   };
	   atomic {
#ifndef MUTATE_POLICY_NO_WAIT	/* MUTATE_POLICY_NO_WAIT: POLICY_HOLDS POLICY
				 * the ioctl returns while WBINVD runs */
		wait_for_wbinvd();
#endif
		says_no_wbinvd = true;
		unlock(vm_lock)
	   }
	:: atomic {
		!says_follow ->
		says_no_wbinvd = false;
		lock(vm_lock);
		off_edge_done();
#ifdef IGNORES_PAT
		owed = policy == NO_WBINVD && begun;
#endif
		policy = FOLLOW
	   };
	   /*
	    * An edge under NO_WBINVD flushed nothing. From now on the guest is to
	    * find what it expects, so the flush comes now.
	    */
#ifndef MUTATE_DEBT_FORGOTTEN	/* MUTATE_DEBT_FORGOTTEN: NO_STALE POLICY+IGNORES_PAT
				 * the flush never comes */
	   if
	   :: atomic { owed -> cover(DEBT_PAID) };
		collect_masks();
		flush_collected()
	   :: else
	   fi;
#endif
	   atomic {
		owed = false;
		says_follow = true;
		unlock(vm_lock)
	   }
	:: atomic {
		policy != FORBID MAY_CALL ->
		lock(vm_lock);
		off_edge_done();
		if
#ifdef MUTATE_FORBID_BEGUN	/* MUTATE_FORBID_BEGUN: POLICY_HOLDS POLICY
				 * asks what has begun, not what is reserved */
		:: begun ->
#else
		:: reserved ->
#endif
			cover(FORBID_BUSY);
			require(ALL_OR_NOTHING, busy[0] || busy[1])
		:: else ->
			policy = FORBID;
			says_no_wbinvd = false;
			says_follow = false;
			must = 0
		fi;
		unlock(vm_lock)
	   }
	:: says_follow -> break
	od;
	STOPPED
}

/* ---- the guest ---- */

/*
 * kvm_arch_vcpu_load(), also from sched_in() between any two instructions that
 * run with preemption on. Neither the vCPU nor anything on its behalf runs
 * between the switch and the recording.
 */
inline vcpu_load(c)
{
	ran = ran | BIT(c);
#if defined(MUTATE_MASK_WHILE_ON)
				/* MUTATE_MASK_WHILE_ON: FLUSH_COMPLETE
				 * recorded while permission is on, as upstream */
	if
	:: permission -> mask[v] = mask[v] | BIT(c)
	:: else
	fi;
#elif defined(MUTATE_MASK_AT_PUT)
				/* MUTATE_MASK_AT_PUT: NO_STALE IGNORES_PAT
				 * recorded when the vCPU leaves */
	if
	:: ran_once -> mask[v] = mask[v] | BIT(cpu)
	:: else -> ran_once = true
	fi;
#else
	mask[v] = mask[v] | BIT(c);
#endif
	cpu = c
}

inline guest_write(stale)
{
	line_cpu = cpu + 1;
	line_vcpu = v;
	line_stale = stale
}

/* A fault reads permission and sets the entry under mmu_lock. */
inline page_fault()
{
	atomic {
		spte == NONE ->
		if
		:: permission -> type = HONOUR
		:: else -> type = IGNORE
		fi;
#ifdef MUTATE_MTYPE_EARLY	/* MUTATE_MTYPE_EARLY: NO_STALE IGNORES_PAT
				 * permission is read before the lock is taken */
	};
	atomic {
#endif
		if
		:: spte == NONE -> spte = type
		:: else
		fi;
		type = NONE
	}
}

inline preempt_disable()
{
	in_section = in_section | BIT(v)
}

inline preempt_enable()
{
	in_section = in_section & ~BIT(v);
	grace = grace & ~BIT(v)
}

/* WBINVD is done, as the guest sees it. */
inline wbinvd_done()
{
	require(FLUSH_COMPLETE, !(line_cpu && line_vcpu == v));
	must = must & ~BIT(v)
}

inline flush_for_guest()
{
	require(NO_LEFTOVER, granted);
	require(POLICY_HOLDS, !says_no_wbinvd);
	if
	:: line_cpu && line_cpu != cpu + 1 && (mask[v] & BIT(line_cpu - 1)) ->
		cover(FLUSHED_OTHER_CPU)
	:: else
	fi;
	if
	:: DMA -> cover(FLUSHED_WITH_DMA)
	:: else
	fi;
#ifdef MUTATE_RESET_FIRST
	flush(copy);
	copy = 0
#else
	flush(mask[v])
#endif
}

#ifdef MUTATE_RESET_EMPTY	/* MUTATE_RESET_EMPTY: FLUSH_COMPLETE
				 * to no CPU, as upstream */
#define reset_mask()	mask[v] = 0
#else
#define reset_mask()	mask[v] = BIT(cpu)
#endif

inline flush_and_reset()
{
#ifdef MUTATE_RESET_FIRST	/* MUTATE_RESET_FIRST: NO_STALE IGNORES_PAT
				 * reset, then flushed from a copy */
	atomic {
		copy = mask[v];
		reset_mask()
	};
#endif
	atomic { flush_for_guest() };
#ifdef MUTATE_RESET_LATE	/* MUTATE_RESET_LATE: FLUSH_COMPLETE
				 * with preemption on again */
	atomic {
		wbinvd_done();
		copy = BIT(cpu);
		preempt_enable()
	};
	if
	:: atomic { vcpu_load(1 - cpu) }
	:: true
	fi;
	atomic {
		mask[v] = copy;
		copy = 0
	}
#else
	atomic {
#ifndef MUTATE_RESET_FIRST
		reset_mask();
#endif
		wbinvd_done();
		preempt_enable()
	}
#endif
}

/*
 * The emulation of WBINVD. Before it turns preemption off the vCPU can be
 * migrated, but so it can in the guest: that needs no step of its own.
 */
inline wbinvd()
{
	atomic {
		permission ->
#ifdef MUTATE_CHECK_EARLY	/* MUTATE_CHECK_EARLY: NO_LEFTOVER
				 * permission is read with preemption on */
	};
	atomic {
#endif
		preempt_disable();
		if
		:: on && says_follow -> must = must | BIT(v)
		:: else
		fi
	};
#if defined(POLICY) || defined(PROGRESS)
	if
	:: policy != NO_WBINVD -> flush_and_reset()
	:: atomic {
		policy == NO_WBINVD ->
		if
		:: DMA -> cover(IGNORED_WITH_DMA)
		:: else
		fi;
		if
		:: must & BIT(v) -> wbinvd_done()
		:: else
		fi;
		preempt_enable()
	   }
	fi
#else
	flush_and_reset()
#endif
}

/* The same without permission: it does nothing, so it is one step. */
inline wbinvd_ignored()
{
	atomic {
		!permission ->
		cover(IGNORED);
		if
		:: on && says_follow -> wbinvd_done()
		:: else
		fi
	}
}

proctype vcpu(bit v)
{
	bit cpu;
	byte type;
#if defined(MUTATE_RESET_FIRST) || defined(MUTATE_RESET_LATE)
	byte copy;
#endif
#ifdef MUTATE_MASK_AT_PUT
	bool ran_once;
#endif

#ifdef PROGRESS			/* nobody waits for lines, or for CPUs */
	atomic { vcpu_load(v) };
#else
	if
	:: atomic { vcpu_load(0) }
	:: atomic { vcpu_load(1) }
	fi;
#endif
	do
#ifndef PROGRESS
	:: atomic { vcpu_load(1 - cpu) }
#ifdef IGNORES_PAT
	:: page_fault()
	:: atomic { spte == IGNORE -> guest_write(true) }
	:: atomic { spte == HONOUR -> guest_write(false) }
#else
	:: atomic { guest_write(false) }
#endif
#endif
	:: wbinvd()
	:: wbinvd_ignored()
	/*
	 * User space never runs the vCPU again; or worse, never answers a fault
	 * in which it waits holding kvm->srcu.
	 */
	:: atomic {
		srcu_held = srcu_held | BIT(v);
		cpu = 0
	   };
	   break
	od
}

/* ---- properties of states; those of events stand where the events are ---- */

#define violated(p, bad)	atomic { CHECKED(p) && (bad) -> assert(false) }

active proctype properties()
{
end:	do
	:: violated(NO_GAP, DMA && (!permission || edge_work))
	:: violated(NO_LEFTOVER, permission && !granted)
	:: violated(NO_STALE, DMA && says_follow && line_stale)
	:: violated(NO_STALE, DMA && spte == IGNORE)
	:: violated(POLICY_HOLDS, policy == FORBID && (permission || reserved))
	:: violated(CPUS_OF_VM, (mask[0] | mask[1]) & ~ran)
	od
}

#ifdef PROGRESS
ltl no_delay { <> (stopped == 3) }	/* NO_DELAY: both devices' threads, the VMM's */
#endif

init
{
	c_code { atexit(report_coverage); };
	atomic {
		policy = FOLLOW;
		says_follow = true;
		watched[0] = true;
#ifdef WATCH
		told = BIT(0);
		run watcher();
#else
		watched[1] = true;
		told = BOTH;
#endif
		run vcpu(0);
		run vcpu(1);
		run device(0);
		run device(1);
#ifdef SECOND
		run device(0);
#endif
#if defined(POLICY) || defined(PROGRESS)
		run vmm();
#endif
	}
}
