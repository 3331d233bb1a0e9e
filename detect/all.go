package detect

// All lists the detectors, the most telling first. The only such list.
func All() []*Detector {
	return []*Detector{
		memcgOOMTrap,
		memcgOOMUserHandler,
		lockCycle,
		globalOOMLock,
		nofsLivelock,
		oomVictimStuck,
		oomReaperFailed,
		oomNoVictim,
		journalStall,
		fsFrozen,
		fuseDaemonSilent,
		userfaultWait,
		memcgReclaimWriteback,
		memcgHighThrottle,
		oomLockQueue,
		cgroupAttachStall,
		limitWriteOOM,
		oomStorm,
		lockConvoy,
		oomByHand,
		oomPanic,
	}
}
