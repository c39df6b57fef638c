import { Failure } from '../../errors.ts';

/**
 * Variables by which a loader, a shell or an interpreter runs code that the caller chooses, whatever the program was
 * allowed to do: the loader's own, and those that shells, Perl, Python, Ruby, Node, PHP, Java, Lua and R read at their start.
 */
const CODE =
  /^(LD_\w+|DYLD_\w+|GCONV_PATH|GLIBC_TUNABLES|NLSPATH|BASH_ENV|BASH_LOADABLES_PATH|ENV|SHELLOPTS|BASHOPTS|PS4|PROMPT_COMMAND|IFS|CDPATH|FPATH|ZDOTDIR|PERL\w*|PYTHON\w+|RUBY(OPT|LIB)|GEM_(HOME|PATH)|NODE_\w+|PHP_INI_SCAN_DIR|PHPRC|_?JAVA_(TOOL_)?OPTIONS|JDK_JAVA_OPTIONS|CLASSPATH|LUA_\w+|R_(PROFILE|ENVIRON|LIBS)\w*|GIT_\w+|(GIT|SVN)_SSH\w*|PAGER|EDITOR|VISUAL|OPENSSL_CONF)$/i;

/** Throws `bad_request` naming the variable through which an allowed program would become another. */
export function refuseCode(env: Readonly<Record<string, string>>): void {
  const name = Object.keys(env).find((given) => CODE.test(given.replace(/^#/, '')));
  if (name === undefined) return;
  throw new Failure('bad_request', `Parameter 'env': ${name} is not allowed, it can make a program run other code`, {
    advice: 'Give the value under another name, or let the administrator set it within the program.',
  });
}
