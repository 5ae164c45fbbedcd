#include "leafcutter_hold.h"
int leafcutter_hold_abi(void) { return LEAFCUTTER_HOLD_ABI; }
