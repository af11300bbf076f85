// Every option that ld64.lld 22 knows (lld/MachO/Options.td), and ours. A row is [treatment, arity, names].

/** `joined`: the value follows in the same word. `either`: in the same word or the next. A number: that many words follow. */
export type Arity = 0 | 1 | 2 | 3 | 4 | 'joined' | 'either'

/**
 * `used` changes the link or the command. `accepted` has no effect here and needs none (LTO, ordering by profiles).
 * The others warn as ld64.lld does, except `refused`, which is an error: the output would be of another kind.
 */
export type Treatment =
  | 'used'
  | 'accepted'
  | 'deprecated'
  | 'obsolete'
  | 'undocumented'
  | 'ignored'
  | 'unimplemented'
  | 'refused'

export interface Option {
  name: string
  arity: Arity
  treatment: Treatment
}

export interface OptionTable {
  /** By full spelling, `=` included where the option ends in it. */
  exact: Map<string, Option>
  /** Options whose value may be joined, longest name first. */
  joined: Option[]
}

type Row = readonly [Treatment, Arity, string]

const INPUT_ROWS: readonly Row[] = [
  ['used', 'joined', '-l -weak-l -needed-l -reexport-l -upward-l -hidden-l'],
  ['used', 1, '-weak_library -needed_library -reexport_library -upward_library -force_load -load_hidden -filelist'],
  ['used', 1, '-framework -weak_framework -needed_framework -reexport_framework -upward_framework'],
  ['used', 'either', '-L -F'],
  ['used', 1, '-syslibroot'],
  ['used', 0, '-Z -search_paths_first -search_dylibs_first -all_load -noall_load -ObjC -force_load_swift_libs'],
  ['used', 0, '--start-lib --end-lib -ignore_auto_link --strict-auto-link -no_implicit_dylibs'],
  ['used', 1, '--ignore-auto-link-option'],
  ['used', 'joined', '--ignore-auto-link-option='],
  ['used', 0, '--warn-thin-archive-missing-members --no-warn-thin-archive-missing-members'],
  ['used', 0, '--embedded-stubs --no-embedded-stubs'],
]

const LINK_ROWS: readonly Row[] = [
  ['used', 0, '-execute -dylib -bundle -dynamic -pie -no_pie -flat_namespace -twolevel_namespace'],
  ['used', 1, '-arch -o -bundle_loader -install_name -dylib_install_name -dylinker_install_name -final_output'],
  ['used', 1, '-compatibility_version -dylib_compatibility_version -current_version -dylib_current_version'],
  ['used', 3, '-platform_version'],
  ['used', 1, '-sdk_version -macos_version_min -macosx_version_min -ios_version_min -iphoneos_version_min'],
  ['used', 1, '-ios_simulator_version_min -maccatalyst_version_min -iosmac_version_min -uikitformac_version_min'],
  ['used', 1, '-tvos_version_min -watchos_version_min -bridgeos_version_min -driverkit_version_min'],
  [
    'used',
    1,
    '-e -u -U -undefined -exported_symbol -exported_symbols_list -unexported_symbol -unexported_symbols_list',
  ],
  ['used', 2, '-alias -add_empty_section -rename_segment -segaddr'],
  ['used', 3, '-sectcreate -segcreate -sectalign -segprot'],
  ['used', 4, '-rename_section'],
  ['used', 1, '-alias_list -rpath -dyld_env -umbrella -sub_library -sub_umbrella -allowable_client -client_name'],
  ['used', 1, '-headerpad -pagezero_size -image_base -seg1addr -stack_size -order_file -oso_prefix -add_ast_path'],
  ['used', 1, '-non_global_symbols_strip_list -non_global_symbols_no_strip_list -executable_path'],
  ['used', 0, '-no_exported_symbols -export_dynamic -interposable -multi_module -S -x -no_uuid -random_uuid'],
  ['used', 0, '-dead_strip -dead_strip_dylibs --dead-strip-duplicates -headerpad_max_install_names'],
  ['used', 0, '-data_const -no_data_const -fixup_chains -no_fixup_chains -init_offsets -bind_at_load -reproducible'],
  ['used', 0, '-adhoc_codesign -no_adhoc_codesign -encryptable -no_encryption -function_starts -no_function_starts'],
  ['used', 0, '-data_in_code_info -no_data_in_code_info -add_source_version -no_source_version'],
  ['used', 1, '-source_version'],
  ['used', 0, '-objc_relative_method_lists -no_objc_relative_method_lists -objc_stubs_fast -objc_stubs_small'],
  ['used', 0, '-objc_category_merging -no_objc_category_merging --check-category-conflicts'],
  [
    'used',
    0,
    '-ignore_optimization_hints -mark_dead_strippable_dylib -application_extension -no_application_extension',
  ],
  ['used', 0, '--deduplicate-strings --no-deduplicate-strings -no_deduplicate'],
  ['used', 0, '--deduplicate-symbol-strings -no-deduplicate-symbol-strings'],
  ['used', 0, '--tail-merge-strings --no-tail-merge-strings'],
  ['used', 0, '--separate-cstring-literal-sections --no-separate-cstring-literal-sections'],
  ['used', 0, '--call-graph-profile-sort --no-call-graph-profile-sort'],
  ['used', 'joined', '--icf= --layout= --keep-icf-stabs --print-symbol-order= --threads='],
]

const COMMAND_ROWS: readonly Row[] = [
  ['used', 0, '-help --help --help-hidden --version -v -w -t -demangle -fatal_warnings -print_statistics'],
  ['used', 0, '-why_load -whyload -arch_errors_fatal -arch_multiple --print-dylib-search'],
  ['used', 0, '--time --time-trace --stats --incremental --server --verbose'],
  ['used', 1, '-map -dependency_info -why_live --dependency-file'],
  ['used', 'either', '-O'],
  [
    'used',
    'joined',
    '--error-limit= --color-diagnostics= --message-format= --time-trace= --time-trace-granularity= --dependency-file= --metafile=',
  ],
  ['used', 0, '--color-diagnostics --no-color-diagnostics --warn-dylib-install-name --no-warn-dylib-install-name'],
  ['used', 0, '--warn-duplicate-rpath --no-warn-duplicate-rpath'],
  ['used', 1, '--reproduce'],
  ['used', 'joined', '--reproduce= --slop_scale='],
]

const ACCEPTED_ROWS: readonly Row[] = [
  [
    'accepted',
    0,
    '-no_warn_duplicate_libraries -debug_variant -no_dtrace_dof -save-temps --disable_verify --lto-debug-pass-manager',
  ],
  ['accepted', 0, '--lto-emit-llvm --thinlto-emit-imports-files --thinlto-emit-index-files --thinlto-index-only'],
  ['accepted', 0, '--cs-profile-generate --pgo-warn-mismatch --no-pgo-warn-mismatch --verbose-bp-section-orderer'],
  ['accepted', 0, '--bp-compression-sort-startup-functions --no-bp-compression-sort-startup-functions'],
  ['accepted', 0, '--compression-sort-startup-functions --no-compression-sort-startup-functions'],
  ['accepted', 1, '-lto_library -mllvm -mcpu -objc_abi_version -object_path_lto -cache_path_lto -prune_interval_lto'],
  ['accepted', 1, '-prune_after_lto -max_relative_cache_size_lto --irpgo-profile --irpgo-profile-sort'],
  [
    'accepted',
    'joined',
    '--lto-O --lto-CGO --lto-newpm-passes= --load-pass-plugin= --thinlto-cache-policy= --thinlto-jobs=',
  ],
  ['accepted', 'joined', '--thinlto-index-only= --thinlto-object-suffix-replace= --thinlto-prefix-replace='],
  ['accepted', 'joined', '--cs-profile-path= --codegen-data-generate-path= --irpgo-profile= --irpgo-profile-sort='],
  [
    'accepted',
    'joined',
    '--bp-compression-sort= --bp-compression-sort-section= --bp-startup-sort= --compression-sort=',
  ],
  ['accepted', 'joined', '--read-workers='],
  ['accepted', 3, '-sectorder'],
]

const WARNED_ROWS: readonly Row[] = [
  ['refused', 0, '-r -preload -dylinker'],
  ['deprecated', 'joined', '-lazy-l'],
  ['deprecated', 1, '-lazy_framework -lazy_library'],
  ['deprecated', 0, '-single_module -no_dead_strip_inits_and_terms'],
  ['ignored', 0, '-M -new_linker'],
  [
    'obsolete',
    0,
    '-bitcode_bundle -bitcode_hide_symbols -bitcode_verify -b -dependent_dr_info -fvmlib -m -nomultidefs',
  ],
  [
    'obsolete',
    0,
    '-no_compact_linkedit -no_dependent_dr_info -nofixprebinding -noprebind_all_twolevel_modules -noprebind',
  ],
  ['obsolete', 0, '-noseglinkedit -prebind_all_twolevel_modules -prebind_allow_overlap -prebind -private_bundle'],
  [
    'obsolete',
    0,
    '-run_init_lazily -sectorder_detail -seglinkedit -Si -slow_stubs -Sn -Sp -s -twolevel_namespace_hints -X',
  ],
  ['obsolete', 1, '-A -bitcode_process_mode -bitcode_symbol_map -multiply_defined_unused -multiply_defined -Y'],
  ['obsolete', 1, '-sect_diff_relocs -seg_addr_table_filename'],
  ['obsolete', 2, '-sectobjectsymbols'],
  ['obsolete', 'joined', '-y'],
  ['undocumented', 0, '-add_linker_option -add_split_seg_info -allow_dead_duplicates -classic_linker -debug_snapshot'],
  ['undocumented', 0, '-allow_simulator_linking_to_macosx_dylibs -fixup_chains_section -flto-codegen-only'],
  ['undocumented', 0, '-force_symbol_not_weak -force_symbol_weak -force_symbols_coalesce_list -i -keep_dwarf_unwind'],
  [
    'undocumented',
    0,
    '-kext_objects_dir -kexts_use_stubs -kext -no_compact_unwind -no_keep_dwarf_unwind -no_kext_objects',
  ],
  ['undocumented', 0, '-no_new_main -pause -simulator_support -snapshot_dir -threaded_starts_section'],
  ['undocumented', 0, '-verbose_optimization_hints -version_load_command'],
  ['undocumented', 1, '-force_symbols_not_weak_list -force_symbols_weak_list'],
  [
    'unimplemented',
    0,
    '-order_file_statistics -whatsloaded -allow_stack_execute -merge_zero_fill_sections -no_branch_islands -static',
  ],
  [
    'unimplemented',
    0,
    '-no_order_data -no_order_inits -no_zero_fill_sections -allow_heap_execute -allow_sub_type_mismatches -text_exec',
  ],
  [
    'unimplemented',
    0,
    '-force_cpusubtype_ALL -force_flat_namespace -keep_relocs -no_arch_warnings -no_eh_labels -no_inits',
  ],
  [
    'unimplemented',
    0,
    '-no_warn_inits -no_weak_exports -no_weak_imports -not_for_dyld_shared_cache -objc_gc_compaction',
  ],
  ['unimplemented', 0, '-objc_gc_only -objc_gc -page_align_data_atoms -read_only_stubs -root_safe -setuid_safe'],
  ['unimplemented', 0, '-trace_symbol_layout -verbose_deduplicate -version_details -warn_commons -warn_compact_unwind'],
  ['unimplemented', 0, '-warn_stabs -warn_weak_exports -d -keep_private_externs'],
  ['unimplemented', 1, '-dtrace -exported_symbols_order -dirty_data_list -dot -dylib_file -init -interposable_list'],
  ['unimplemented', 1, '-max_default_common_align -read_only_relocs -segalign -segment_order -segs_read_only_addr'],
  ['unimplemented', 1, '-segs_read_write_addr -stack_addr -unaligned_pointers -weak_reference_mismatches -commons'],
  ['unimplemented', 1, '-reexported_symbols_list'],
  ['unimplemented', 2, '-move_to_ro_segment -move_to_rw_segment -section_order -seg_page_size'],
]

/** Other spellings; each stands for the option it names, in every respect. */
export const ALIASES: Readonly<Record<string, string>> = {
  '-segcreate': '-sectcreate',
  '-dylib_install_name': '-install_name',
  '-dylinker_install_name': '-install_name',
  '-dylib_compatibility_version': '-compatibility_version',
  '-dylib_current_version': '-current_version',
  '-seg1addr': '-image_base',
  '-macosx_version_min': '-macos_version_min',
  '-iphoneos_version_min': '-ios_version_min',
  '-iosmac_version_min': '-maccatalyst_version_min',
  '-uikitformac_version_min': '-maccatalyst_version_min',
  '-multi_module': '-interposable',
  '-whyload': '-why_load',
  '-help': '--help',
  '--reproduce=': '--reproduce',
  '--dependency-file=': '--dependency-file',
  '--ignore-auto-link-option=': '--ignore-auto-link-option',
}

/** The rows in the order in which the help shows them. */
export function optionRows(): readonly (readonly [string, readonly Row[]])[] {
  return [
    ['inputs', INPUT_ROWS],
    ['link', LINK_ROWS],
    ['command', COMMAND_ROWS],
    ['accepted', ACCEPTED_ROWS],
    ['warned', WARNED_ROWS],
  ]
}

export function createOptionTable(): OptionTable {
  const exact = new Map<string, Option>()
  const joined: Option[] = []
  for (const [, rows] of optionRows()) {
    for (const [treatment, arity, names] of rows) {
      for (const name of names.split(' ')) {
        const option = { name, arity, treatment }
        exact.set(name, option)
        if (typeof arity === 'string') joined.push(option)
      }
    }
  }
  joined.sort((a, b) => b.name.length - a.name.length)
  return { exact, joined }
}
