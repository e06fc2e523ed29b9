package dev.recurrent.evaluation.option;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** A number of tokens: {@code 256}, or {@code 16k} for 16384. */
public final class TokenCount implements ITypeConverter<Integer> {

    private static final Pattern COUNT = Pattern.compile("([1-9][0-9]{0,8})([kK]?)");
    private static final int KILO = 1024;

    @Override
    public Integer convert(String value) {
        Matcher matcher = COUNT.matcher(value);
        if (matcher.matches()) {
            long count = Long.parseLong(matcher.group(1)) * (matcher.group(2).isEmpty() ? 1 : KILO);
            if (count <= Integer.MAX_VALUE) {
                return (int) count;
            }
        }
        throw new TypeConversionException(
                "'" + value + "' is no number of tokens such as 256 or 16k");
    }
}
