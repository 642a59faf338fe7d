// Sizes and offsets as this runtime sees them, for comparison with the vendor's and with Python's.
using System;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;

namespace ProfitInterop {
    public static unsafe class Layouts {
        static readonly Type[] structs = {
            typeof(SystemTime), typeof(TAssetIDRec), typeof(TAccountRec), typeof(AccountIdentifier), typeof(AccountIdentifierOut),
            typeof(AssetIdentifier), typeof(AssetIdentifierOut), typeof(OrderIdentifier), typeof(SendOrder), typeof(ChangeOrder),
            typeof(CancelOrder), typeof(CancelOrders), typeof(CancelAllOrders), typeof(ZeroPosition), typeof(TradingAccountOut),
            typeof(TradingAccountPosition), typeof(Order), typeof(OrderOut), typeof(Trade), typeof(PriceGroup),
            typeof(TradingMessageResult), typeof(OfferEntry), typeof(MarketRecord), typeof(DailyPrices), typeof(DailyCounts),
            typeof(ControlRecord)
        };
        static readonly int[] sizes = {
            sizeof(SystemTime), sizeof(TAssetIDRec), sizeof(TAccountRec), sizeof(AccountIdentifier), sizeof(AccountIdentifierOut),
            sizeof(AssetIdentifier), sizeof(AssetIdentifierOut), sizeof(OrderIdentifier), sizeof(SendOrder), sizeof(ChangeOrder),
            sizeof(CancelOrder), sizeof(CancelOrders), sizeof(CancelAllOrders), sizeof(ZeroPosition), sizeof(TradingAccountOut),
            sizeof(TradingAccountPosition), sizeof(Order), sizeof(OrderOut), sizeof(Trade), sizeof(PriceGroup),
            sizeof(TradingMessageResult), sizeof(OfferEntry), sizeof(MarketRecord), sizeof(DailyPrices), sizeof(DailyCounts),
            sizeof(ControlRecord)
        };

        // Lines "Struct size" and "Struct.Field offset". Both views of a size must agree, or the struct is not blittable.
        public static string All() {
            StringBuilder lines = new StringBuilder();
            for (int i = 0; i < structs.Length; i++) {
                int size = Marshal.SizeOf(structs[i]);
                if (size != sizes[i]) throw new InvalidOperationException(structs[i].Name + ": " + sizes[i] + " bytes here, " + size + " outside");
                lines.Append(structs[i].Name + " " + size + "\n");
                foreach (FieldInfo field in structs[i].GetFields(BindingFlags.Public | BindingFlags.Instance)) {
                    lines.Append(structs[i].Name + "." + field.Name + " " + Marshal.OffsetOf(structs[i], field.Name) + "\n");
                }
            }
            return lines.ToString();
        }

        // The digest of the sources that this assembly was made of.
        public static string Source() {
            object[] found = typeof(Layouts).Assembly.GetCustomAttributes(typeof(AssemblyInformationalVersionAttribute), false);
            return found.Length == 0 ? "" : ((AssemblyInformationalVersionAttribute)found[0]).InformationalVersion;
        }
    }
}
