// The extension is handed a WT_CONNECTION and calls through its function table; it does not link
// libwiredtiger.
#include <wiredtiger.h>
#include <wiredtiger_ext.h>
