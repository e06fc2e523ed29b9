package dev.recurrent.zoo.naming;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Which tensors of an upstream checkpoint are which rows of our parameters.
 *
 * <p>Upstreams have changed their files over time, so some parameters come in several forms (joint
 * or separate convolutions, for one); the first form is the one we write. Whole families of names
 * have moved as well ({@link #renamed}), and some tensors mean nothing ({@link #ignored}).
 *
 * @param bindings what covers our parameters
 * @param renamed prefixes that files may carry instead of the ones in the bindings
 * @param ignored names that may be there and are not read
 */
public record NameMap(List<Binding> bindings, Map<String, String> renamed, List<Pattern> ignored) {

    /** Copies the lists. */
    public NameMap {
        bindings = List.copyOf(bindings);
        renamed = Map.copyOf(renamed);
        ignored = List.copyOf(ignored);
    }

    /**
     * Tensors that together hold some of our parameters.
     *
     * @param forms alternatives, the one that we write first
     */
    public record Binding(List<List<UpstreamTensor>> forms) {

        /** Copies the lists. */
        public Binding {
            forms = forms.stream().map(List::copyOf).toList();
        }
    }

    /**
     * What of a checkpoint is read.
     *
     * @param tensors what to read, by the names in the checkpoint
     * @param missing what should be there and is not
     * @param unexpected what is there and should not be
     */
    public record Resolution(
            Map<String, UpstreamTensor> tensors, List<String> missing, List<String> unexpected) {}

    /** Returns the tensors that we write. */
    public List<UpstreamTensor> written() {
        return bindings.stream().flatMap(binding -> binding.forms().get(0).stream()).toList();
    }

    /**
     * Compares a checkpoint's names with this map's.
     *
     * @param names the names in the checkpoint
     * @return what to read, what is missing and what is unexpected
     */
    public Resolution resolve(Collection<String> names) {
        Set<String> present = new LinkedHashSet<>(names);
        Map<String, String> actual = new LinkedHashMap<>();
        for (String name : present) {
            String canonical = canonical(name);
            actual.put(present.contains(canonical) ? name : canonical, name);
        }
        Map<String, UpstreamTensor> tensors = new LinkedHashMap<>();
        List<String> missing = new ArrayList<>();
        for (Binding binding : bindings) {
            for (UpstreamTensor tensor : choose(binding, actual.keySet())) {
                String name = actual.remove(tensor.name());
                if (name == null) {
                    missing.add(tensor.name());
                } else {
                    tensors.put(name, tensor);
                }
            }
        }
        List<String> unexpected = new ArrayList<>();
        actual.forEach(
                (canonical, name) -> {
                    if (!isIgnored(canonical)) {
                        unexpected.add(name);
                    }
                });
        return new Resolution(tensors, missing, unexpected);
    }

    private static List<UpstreamTensor> choose(Binding binding, Set<String> names) {
        return binding.forms().stream()
                .filter(form -> form.stream().allMatch(tensor -> names.contains(tensor.name())))
                .findFirst()
                .orElse(binding.forms().get(0));
    }

    private String canonical(String name) {
        for (Map.Entry<String, String> prefix : renamed.entrySet()) {
            if (name.startsWith(prefix.getKey())) {
                return prefix.getValue() + name.substring(prefix.getKey().length());
            }
        }
        return name;
    }

    private boolean isIgnored(String name) {
        return ignored.stream().anyMatch(pattern -> pattern.matcher(name).matches());
    }

    /** Collects a map. */
    static final class Builder {

        private final List<Binding> bindings = new ArrayList<>();
        private final Map<String, String> renamed = new LinkedHashMap<>();
        private final Set<String> ignored = new LinkedHashSet<>();

        /** One upstream tensor is one of our parameters. */
        Builder bind(String upstream, String parameter) {
            return bindAll(List.of(UpstreamTensor.of(upstream, parameter)));
        }

        /** Several upstream tensors together are parameters of ours. */
        Builder bindAll(List<UpstreamTensor> form) {
            bindings.add(new Binding(List.of(form)));
            return this;
        }

        /** As {@link #bindAll}, in a form that we write and another that we also read. */
        Builder bindAll(List<UpstreamTensor> form, List<UpstreamTensor> other) {
            bindings.add(new Binding(List.of(form, other)));
            return this;
        }

        /** Files may carry the prefix {@code from} instead of {@code to}. */
        Builder rename(String from, String to) {
            renamed.put(from, to);
            return this;
        }

        /** Names that match may be there and are not read. */
        Builder ignore(String regex) {
            ignored.add(regex);
            return this;
        }

        NameMap build() {
            return new NameMap(bindings, renamed, ignored.stream().map(Pattern::compile).toList());
        }
    }
}
