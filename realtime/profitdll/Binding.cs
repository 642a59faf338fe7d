// Which library the imports mean. .NET since Core 3.0 asks here; .NET Framework finds the loaded one by its file name.
using System;
using System.Reflection;
using System.Runtime.InteropServices;

namespace ProfitInterop {
    public static class Binding {
        static IntPtr library;

        // `handle` as the system's loader gave it. False where only the name counts.
        public static bool Use(long handle) {
            const string Home = ", System.Runtime.InteropServices";
            Type natives = Type.GetType("System.Runtime.InteropServices.NativeLibrary" + Home);
            if (natives == null) return false;
            library = (IntPtr)handle;
            Type resolver = Type.GetType("System.Runtime.InteropServices.DllImportResolver" + Home, true);
            MethodInfo ours = typeof(Binding).GetMethod("Resolve", BindingFlags.NonPublic | BindingFlags.Static);
            object[] arguments = { typeof(Binding).Assembly, Delegate.CreateDelegate(resolver, ours) };
            natives.GetMethod("SetDllImportResolver").Invoke(null, arguments);
            return true;
        }

        static IntPtr Resolve(string name, Assembly assembly, DllImportSearchPath? search) {
            return name == "ProfitDLL64" ? library : IntPtr.Zero;
        }
    }
}
