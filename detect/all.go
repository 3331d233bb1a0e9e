package detect

// All lists the detectors, the most telling first. The only such list.
func All() []*Detector {
	return []*Detector{
		memcgOOMTrap,
		memcgOOMUserHandler,
		lockCycle,
		oomVictimStuck,
		oomReaperFailed,
		oomNoVictim,
		oomStorm,
		lockConvoy,
	}
}
