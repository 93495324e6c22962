/* bcryptprimitives.dll, which programs in Go need and Wine 8 has not: the system's random numbers under their newer name. */
#include <windows.h>
#include <ntsecapi.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE to, SIZE_T length)
{
	while (length > 0) {
		ULONG part = length > 0x10000 ? 0x10000 : (ULONG)length;
		if (!RtlGenRandom(to, part))
			return FALSE;
		to += part;
		length -= part;
	}
	return TRUE;
}
