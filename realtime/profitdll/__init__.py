"""ProfitDLL from Python: a C# assembly that the DLL calls back, the rings it writes to, and one synchronous adapter."""
